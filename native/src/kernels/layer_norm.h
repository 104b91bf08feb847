// Layer and RMS normalisation: the launch functions. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

// mean is NULL for RMS normalisation; gamma and beta may be.
void layer_norm(Launcher& launcher, const Tensor& y, const Tensor* mean, const Tensor& inv_std,
                const Tensor& x, const Tensor* gamma, const Tensor* beta, double epsilon);
void layer_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor* dgamma,
                         const Tensor* dbeta, const Tensor& dy, const Tensor& x, const Tensor* mean,
                         const Tensor& inv_std, const Tensor* gamma);

}  // namespace gatun::kernels
