// Convolution and its two gradients. f32 runs on the micro-kernels of gemm.h, f64 on the plain
// loops of conv_naive.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"
#include "kernels/activation.h"

namespace gatun::kernels {

struct ConvGeometry {
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;
};

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, Activation activation);

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g);

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels
