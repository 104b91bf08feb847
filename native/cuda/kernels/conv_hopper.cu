// Launches convolutions on GPUs of compute capability 9.0, which this file alone is compiled for.
#include "cuda/kernels/conv_hopper_kernel.h"

namespace gatun::cuda {
namespace {

template <int columns, bool a_along_depth, bool b_along_depth, typename Stages>
void launch(Queue& queue, const HopperPlan& plan, const HopperJob<Stages>& job) {
  queue.launch(product_hopper_kernel<columns, a_along_depth, b_along_depth, Stages>,
               hopper_grid(queue, plan), job);
}

template <typename Stages>
HopperJob<Stages> job_of(const HopperPlan& plan, const Stages& stages, const HopperSums& sums) {
  return {stages,    sums,        plan.cut.terms,
          plan.down, plan.across, static_cast<uint32_t>(plan.units())};
}

}  // namespace

void convolve_on_hopper(Queue& queue, const HopperPlan& plan, const HopperWindows& windows,
                        const FilterBank& filters, bool filters_along_depth,
                        const HopperSums& sums) {
  const bool wide = plan.columns == 256;
  const int filters_of_box = !filters_along_depth ? SwizzledTile<128, false>::kBoxLines
                             : wide               ? SwizzledTile<256, true>::kBoxLines
                                                  : SwizzledTile<128, true>::kBoxLines;
  const auto job = job_of(plan, window_stages(queue.op(), windows, filters, filters_of_box), sums);
  if (filters_along_depth) {
    wide ? launch<256, true, true>(queue, plan, job) : launch<128, true, true>(queue, plan, job);
  } else {
    wide ? launch<256, true, false>(queue, plan, job) : launch<128, true, false>(queue, plan, job);
  }
}

void sum_on_hopper(Queue& queue, const HopperPlan& plan, const HopperMatrix& dy,
                   const HopperWindows& windows, const HopperSums& sums) {
  const auto job = job_of(plan, window_gradient_stages(queue.op(), dy, windows), sums);
  if (plan.columns == 256) {
    launch<256, false, false>(queue, plan, job);
  } else {
    launch<128, false, false>(queue, plan, job);
  }
}

}  // namespace gatun::cuda
