// Convolution and its two gradients on bf16, with sums in f32; the weight gradient stays f32.
#pragma once

#include "kernels/conv.h"

namespace gatun::kernels {

void conv2d_bf16(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                 const Tensor* bias, const ConvGeometry& g, Activation activation);

void conv2d_backward_data_bf16(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                               const Tensor& w, const ConvGeometry& g);

void conv2d_backward_weights_bf16(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                  const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels
