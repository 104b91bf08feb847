// Elementwise functions of f32 for whole arrays, at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/broadcast.h"
#include "kernels/elementwise.h"

namespace gatun::kernels {

// y may be x. Results below the least normal number may be 0; exp, log, sigmoid and tanh are within
// 4 ULP.
void unary_f32(Unary op, float* y, const float* x, int64_t count);
// y may be an operand that is dense in all rows.
void binary_f32(Binary op, float* y, const float* a, const float* b, const RowBlock& block);
void affine_f32(float* y, const float* x, int64_t count, float scale, float shift);

}  // namespace gatun::kernels
