// Convolution with groups or dilation, and its two gradients: f32 and bf16 on the micro-kernels,
// group by group over slices of channels; f64 by the plain loops. Groups of one channel go on to
// conv_depthwise.h.
#pragma once

#include "kernels/conv.h"

namespace gatun::kernels {

void conv2d_grouped(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                    const Tensor* bias, const ConvGeometry& g, Activation activation);

void conv2d_backward_data_grouped(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                                  const Tensor& w, const ConvGeometry& g);

void conv2d_backward_weights_grouped(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                     const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels
