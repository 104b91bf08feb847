// Launches products on GPUs of compute capability 9.0, which this file alone is compiled for.
#include "cuda/kernels/product_hopper_kernel.h"

namespace gatun::cuda {
namespace {

template <int columns, bool a_along_depth, bool b_along_depth>
void launch(Queue& queue, const HopperPlan& plan, const HopperMatrix& a, const HopperMatrix& b,
            const HopperSums& sums) {
  queue.launch(
      product_hopper_kernel<columns, a_along_depth, b_along_depth, MatrixStages>,
      hopper_grid(queue, plan),
      HopperJob<MatrixStages>{
          {make_tensor_map(queue.op(), a, SwizzledTile<kHopperRows, a_along_depth>::kBoxLines),
           make_tensor_map(queue.op(), b, SwizzledTile<columns, b_along_depth>::kBoxLines)},
          sums,
          plan.cut.terms,
          plan.down,
          plan.across,
          static_cast<uint32_t>(plan.units())});
}

}  // namespace

void multiply_on_hopper(Queue& queue, const HopperPlan& plan, const HopperMatrix& a,
                        const HopperMatrix& b, bool a_along_depth, bool b_along_depth,
                        const HopperSums& sums) {
  const auto with_columns = [&](auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    if (!a_along_depth) {
      launch<kColumns, false, false>(queue, plan, a, b, sums);
    } else if (b_along_depth) {
      launch<kColumns, true, true>(queue, plan, a, b, sums);
    } else {
      launch<kColumns, true, false>(queue, plan, a, b, sums);
    }
  };
  if (plan.columns == 256) {
    with_columns(std::integral_constant<int, 256>{});
  } else {
    with_columns(std::integral_constant<int, 128>{});
  }
}

}  // namespace gatun::cuda
