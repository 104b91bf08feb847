// The vector loops of group normalisation, on one picture: x, y and their gradients in f32 or bf16,
// all else in f32. Each runs at the best SIMD level.
#pragma once

#include <cstdint>

#include "core/bf16.h"
#include "kernels/group_norm.h"

namespace gatun::kernels {

// `work`: 4 times the channels.
void group_norm_picture(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
                        const float* beta, const GroupShape& shape, double epsilon, double* work);
void group_norm_picture(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                        const float* beta, const GroupShape& shape, double epsilon, double* work);

// dgamma and dbeta: the sums over this picture.
void group_norm_backward_picture(float* dx, float* dgamma, float* dbeta, const float* dy,
                                 const float* x, const float* mean, const float* inv_std,
                                 const float* gamma, const GroupShape& shape, double* work);
void group_norm_backward_picture(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy,
                                 const Bf16* x, const float* mean, const float* inv_std,
                                 const float* gamma, const GroupShape& shape, double* work);

}  // namespace gatun::kernels
