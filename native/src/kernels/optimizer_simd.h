// The vector loops of the optimizer's passes. f32. Each runs at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/optimizer.h"

namespace gatun::kernels {

// In f64.
double sum_squares(const float* x, int64_t count);
// y = by x; in place if y is x.
void scale(float* y, const float* x, int64_t count, float by);
// y = a + weight (b - a); in place if y is a.
void lerp_range(float* y, const float* a, const float* b, int64_t count, float weight);
// Velocities are NULL without momentum. In place where old and new are the same.
void sgd_range(float* new_parameter, float* new_velocity, const float* parameter,
               const float* velocity, const float* gradient, int64_t count, double learning_rate,
               const SgdRule& rule);
// Elements begin to end.
void adam_range(const AdamState<float>& state, int64_t begin, int64_t end,
                const AdamFactors& factors);

}  // namespace gatun::kernels
