// Inverted dropout by counter-based random numbers: the launch function. The contract is in
// gatun.h.
#pragma once

#include <cmath>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void dropout(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor* step,
             double drop_probability, int64_t seed, int32_t layer);

// What decides about an element.
struct DropoutRule {
  uint64_t seed = 0;
  uint64_t stream = 0;
  int32_t threshold = 0;  // 0 .. 65536: elements with fewer than this of 16 random bits are dropped
  double scale = 1;

  DropoutRule(double drop_probability, int64_t seed, int64_t step, int32_t layer)
      : seed(static_cast<uint64_t>(seed)),
        stream(static_cast<uint64_t>(step) << 32 | static_cast<uint32_t>(layer)),
        threshold(static_cast<int32_t>(std::llround(drop_probability * 65536))),
        scale(1 / (1 - drop_probability)) {}
};

}  // namespace gatun::kernels
