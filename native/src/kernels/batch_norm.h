// Batch normalisation over all axes but the last: the launch functions. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"
#include "kernels/activation.h"

namespace gatun::kernels {

void batch_norm_training(Launcher& launcher, const Tensor& y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& new_running_mean,
                         const Tensor& new_running_variance, const Tensor& x, const Tensor& gamma,
                         const Tensor& beta, const Tensor* residual, const Tensor* moments,
                         const Tensor& running_mean, const Tensor& running_variance,
                         double momentum, double epsilon, Activation activation);

void batch_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor& dgamma,
                         const Tensor& dbeta, const Tensor* dresidual, const Tensor& dy,
                         const Tensor& x, const Tensor* y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, const Tensor* sums,
                         Activation activation);

void batch_norm_inference(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& gamma,
                          const Tensor& beta, const Tensor* residual, const Tensor& running_mean,
                          const Tensor& running_variance, double epsilon, Activation activation);

}  // namespace gatun::kernels
