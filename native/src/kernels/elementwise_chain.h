// Several elementwise steps in one pass over memory. Contract: gt_elementwise in gatun.h.
#pragma once

#include <span>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void elementwise(Launcher& launcher, const Tensor& y, std::span<const Tensor> inputs,
                 std::span<const gt_step> steps);

}  // namespace gatun::kernels
