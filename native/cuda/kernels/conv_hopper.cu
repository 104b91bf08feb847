// Launches convolutions on GPUs of compute capability 9.0, which this file alone is compiled for.
#include "cuda/kernels/conv_hopper_kernel.h"

namespace gatun::cuda {
namespace {

template <int columns, bool filters_along_depth>
void launch(Queue& queue, const HopperPlan& plan, const HopperWindows& windows,
            const FilterBank& filters, const HopperSums& sums) {
  queue.launch(product_hopper_kernel<columns, true, filters_along_depth, WindowStages>,
               hopper_grid(queue, plan),
               HopperJob<WindowStages>{
                   window_stages<columns, filters_along_depth>(queue.op(), windows, filters), sums,
                   plan.cut.terms, plan.down, plan.across, static_cast<uint32_t>(plan.units())});
}

}  // namespace

void convolve_on_hopper(Queue& queue, const HopperPlan& plan, const HopperWindows& windows,
                        const FilterBank& filters, bool filters_along_depth,
                        const HopperSums& sums) {
  const auto with_columns = [&](auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    if (filters_along_depth) {
      launch<kColumns, true>(queue, plan, windows, filters, sums);
    } else {
      launch<kColumns, false>(queue, plan, windows, filters, sums);
    }
  };
  if (plan.columns == 256) {
    with_columns(std::integral_constant<int, 256>{});
  } else {
    with_columns(std::integral_constant<int, 128>{});
  }
}

}  // namespace gatun::cuda
