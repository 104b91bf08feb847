// The vector loops of batch normalisation, on one block of rows and channels. They compute in f32,
// on f32 or bf16; sums leave in f64. Each runs at the best SIMD level.
#pragma once

#include <cstdint>

#include "core/bf16.h"

namespace gatun::kernels {

// The most channels a block may have: its sums stay near the first-level cache.
constexpr int64_t kBatchNormChannels = 2048;

struct BatchNormBlock {
  int64_t rows = 0;
  int64_t channels = 0;
  int64_t stride = 0;  // elements from one row to the next
};

// Per channel: the mean, and M2 = sum (x - mean)^2.
void batch_norm_moments(double* mean, double* m2, const float* x, const BatchNormBlock& block);
void batch_norm_moments(double* mean, double* m2, const Bf16* x, const BatchNormBlock& block);

// (count, mean, m2) of one set becomes that of its union with set b (Chan, Golub and LeVeque 1979).
void batch_norm_merge(double count, double* mean, double* m2, double count_b, const double* mean_b,
                      const double* m2_b, int64_t channels);

// Per channel: y = activation((x - center) * scale + shift + residual). residual is nullable. With
// `stream` y is stored past the caches if it is f32: it is aligned to 64 bytes then, and so is
// every row.
struct BatchNormAffine {
  const float* center;
  const float* scale;
  const float* shift;
};
void batch_norm_apply(float* y, const float* x, const float* residual,
                      const BatchNormAffine& parameters, bool relu, bool stream,
                      const BatchNormBlock& block);
void batch_norm_apply(Bf16* y, const Bf16* x, const Bf16* residual,
                      const BatchNormAffine& parameters, bool relu, bool stream,
                      const BatchNormBlock& block);

// Per channel: sum g and sum g (x - center), g = y > 0 ? dy : 0, or dy where y is NULL.
void batch_norm_gradient_sums(double* sum, double* product, const float* dy, const float* x,
                              const float* y, const float* center, const BatchNormBlock& block);
void batch_norm_gradient_sums(double* sum, double* product, const Bf16* dy, const Bf16* x,
                              const Bf16* y, const float* center, const BatchNormBlock& block);

// Per channel: dx = by_g * g + by_x * (x - center) + shift; dresidual = g if not NULL.
// dx is stored past the caches as above.
struct BatchNormGradient {
  const float* center;
  const float* by_g;
  const float* by_x;
  const float* shift;
};
void batch_norm_gradient(float* dx, float* dresidual, const float* dy, const float* x,
                         const float* y, const BatchNormGradient& parameters, bool stream,
                         const BatchNormBlock& block);
void batch_norm_gradient(Bf16* dx, Bf16* dresidual, const Bf16* dy, const Bf16* x, const Bf16* y,
                         const BatchNormGradient& parameters, bool stream,
                         const BatchNormBlock& block);

}  // namespace gatun::kernels
