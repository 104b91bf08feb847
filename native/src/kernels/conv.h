// Convolution and its two gradients.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"
#include "kernels/conv_epilogue.h"

namespace gatun::kernels {

enum class ConvAlgorithm : int32_t {
  AUTO = GT_CONV_AUTO,
  DIRECT = GT_CONV_DIRECT,
  WINOGRAD = GT_CONV_WINOGRAD
};

struct ConvGeometry {
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;  // above and at the left; the result's extents say what lies behind
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;

  bool is_plain() const { return dilation_h == 1 && dilation_w == 1 && groups == 1; }
};

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, const Epilogue& epilogue,
            ConvAlgorithm algorithm);

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue, ConvAlgorithm algorithm);

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g, ConvAlgorithm algorithm);

// The sum of products: f32 on the micro-kernels of gemm.h, f64 by the plain loops of conv_naive.h.
// What has dilation or groups goes on to conv_grouped.h. Whole, with the epilogue.
namespace direct {

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, const Epilogue& epilogue);

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue);

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g);

}  // namespace direct

}  // namespace gatun::kernels
