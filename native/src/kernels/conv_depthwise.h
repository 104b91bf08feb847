// Depthwise convolution, every channel with a filter of its own: y[n,p,q,c] = sum over r, s of
// x[n,h,w,c] w[c,r,s]. Bound by memory, so vectors run over channels, each pixel is used by all
// taps while it is in the first cache level, and bf16 is read and written as it lies.
#pragma once

#include "kernels/conv.h"

namespace gatun::kernels {

// f32 or bf16 (with f32 weight gradients), any window.
void conv2d_depthwise(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                      const Tensor* bias, const ConvGeometry& g, Activation activation);

void conv2d_backward_data_depthwise(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                                    const Tensor& w, const ConvGeometry& g);

void conv2d_backward_weights_depthwise(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                       const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels
