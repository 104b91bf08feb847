// The vector loops of layer and RMS normalisation, on some rows: x, y and their
// gradients in f32 or bf16, all else in f32. Each runs at the best SIMD
// level.
#pragma once

#include <cstdint>

#include "core/bf16.h"

namespace gatun::kernels {

// mean is NULL for RMS normalisation. With `stream` y is stored past the caches: it and every row
// are aligned to 64 bytes then.
void layer_norm_rows(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
                     const float* beta, int64_t rows, int64_t columns, double epsilon, bool stream);
void layer_norm_rows(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                     const float* beta, int64_t rows, int64_t columns, double epsilon, bool stream);

// dgamma and dbeta: the sums over these rows.
void layer_norm_backward_rows(float* dx, float* dgamma, float* dbeta, const float* dy,
                              const float* x, const float* mean, const float* inv_std,
                              const float* gamma, int64_t rows, int64_t columns, bool stream);
void layer_norm_backward_rows(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy, const Bf16* x,
                              const float* mean, const float* inv_std, const float* gamma,
                              int64_t rows, int64_t columns, bool stream);

}  // namespace gatun::kernels
