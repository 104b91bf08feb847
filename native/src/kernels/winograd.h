// Winograd's minimal filtering F(4x4, 3x3) for 3x3 kernels at stride 1 in f32 (Lavin and Gray 2015,
// "Fast Algorithms for Convolutional Neural Networks"): a 4x4 tile of the result costs 36 products
// for each pair of channels instead of 144. All three passes are transforms around 36 products of
// small matrices, with points 0, 1, -1, 2, -2 and infinity.
#pragma once

#include "kernels/conv.h"

namespace gatun::kernels::winograd {

// What becomes of an element of the result before its only store, in this order.
struct Epilogue {
  const float* bias = nullptr;    // of each channel
  const float* addend = nullptr;  // like the result, which it may be
  const float* gate = nullptr;    // like the result: zero where this is not greater than zero
  bool relu = false;
};

// Whether a convolution of `x` by `w`, or its gradient, can be computed so.
bool fits(const Tensor& x, const Tensor& w, const ConvGeometry& g);

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const ConvGeometry& g, const Epilogue& epilogue);

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue);

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels::winograd
