// The vector loop of dropout, at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/dropout.h"

namespace gatun::kernels {

// Groups of random blocks start at multiples of this many elements at every SIMD level.
constexpr int64_t kDropoutGroup = 1024;

// Elements begin .. end of the whole tensors y and x; begin is a multiple of kDropoutGroup.
void dropout_range(float* y, const float* x, int64_t begin, int64_t end, bool stream,
                   const DropoutRule& rule);

}  // namespace gatun::kernels
