// Activations of f32 for whole arrays, at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/activate.h"

namespace gatun::kernels {

// y may be x. Values are within 8 ULP, and 4 x^2 more below 0, for the rounding of an exponent
// counts as often as it is large; what is less than 2e-36 may be 0.
void activate_f32(Function f, float* y, const float* x, int64_t count, float parameter);
// dx may be dy or x. Slopes are within 1e-6 times the greater of 1 and |x|.
void activate_backward_f32(Function f, float* dx, const float* dy, const float* x, int64_t count,
                           float parameter);

}  // namespace gatun::kernels
