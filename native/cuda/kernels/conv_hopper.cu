// Launches convolutions on GPUs of compute capability 9.0, which this file alone is compiled for.
#include "cuda/kernels/conv_hopper_kernel.h"

namespace gatun::cuda {
namespace {

template <int columns, bool filters_along_depth>
void launch(Queue& queue, const HopperPlan& plan, const HopperJob<WindowStages>& job) {
  queue.launch(product_hopper_kernel<columns, true, filters_along_depth, WindowStages>,
               hopper_grid(queue, plan), job);
}

}  // namespace

void convolve_on_hopper(Queue& queue, const HopperPlan& plan, const HopperWindows& windows,
                        const FilterBank& filters, bool filters_along_depth,
                        const HopperSums& sums) {
  const bool wide = plan.columns == 256;
  const int filters_of_box = !filters_along_depth ? SwizzledTile<128, false>::kBoxLines
                             : wide               ? SwizzledTile<256, true>::kBoxLines
                                                  : SwizzledTile<128, true>::kBoxLines;
  const HopperJob<WindowStages> job{window_stages(queue.op(), windows, filters, filters_of_box),
                                    sums,
                                    plan.cut.terms,
                                    plan.down,
                                    plan.across,
                                    static_cast<uint32_t>(plan.units())};
  if (filters_along_depth) {
    wide ? launch<256, true>(queue, plan, job) : launch<128, true>(queue, plan, job);
  } else {
    wide ? launch<256, false>(queue, plan, job) : launch<128, false>(queue, plan, job);
  }
}

}  // namespace gatun::cuda
