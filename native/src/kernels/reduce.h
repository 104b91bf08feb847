// Sums, means and maxima along axes, and the place of the maximum. Contracts: gatun.h.
#pragma once

#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

enum class Reduction : int32_t {
  SUM = GT_REDUCE_SUM,
  MEAN = GT_REDUCE_MEAN,
  MAX = GT_REDUCE_MAX,
};

void reduce(Launcher& launcher, const Tensor& y, const Tensor& x, Reduction op, uint32_t axes);
void argmax(Launcher& launcher, const Tensor& y, const Tensor& x);

}  // namespace gatun::kernels
