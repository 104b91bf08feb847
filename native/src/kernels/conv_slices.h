// What convolutions with groups share: the windows along each axis, and copies of slices of
// channels.
#pragma once

#include <algorithm>

#include "core/bf16.h"
#include "kernels/conv.h"
#include "kernels/conv_taps.h"

namespace gatun::kernels {

// x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K], whichever of them is the result.
inline WindowAxis rows_of(const Tensor& x, const Tensor& w, const Tensor& y,
                          const ConvGeometry& g) {
  return {x.dims[1], y.dims[1], w.dims[1], g.stride_h, g.pad_h, g.dilation_h};
}
inline WindowAxis columns_of(const Tensor& x, const Tensor& w, const Tensor& y,
                             const ConvGeometry& g) {
  return {x.dims[2], y.dims[2], w.dims[2], g.stride_w, g.pad_w, g.dilation_w};
}

// Every channel is convolved alone.
inline bool is_depthwise(const Tensor& x, const Tensor& y, const ConvGeometry& g) {
  return g.groups > 1 && x.dims[3] == g.groups && y.dims[3] == g.groups;
}

// The first `channels` elements of pixels that lie `step` apart, side by side in f32.
inline void copy_slice(float* to, const float* from, int64_t pixels, int64_t step,
                       int64_t channels) {
  for (int64_t p = 0; p < pixels; ++p) std::copy_n(from + p * step, channels, to + p * channels);
}
inline void copy_slice(float* to, const Bf16* from, int64_t pixels, int64_t step,
                       int64_t channels) {
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; ++c) to[p * channels + c] = to_float(from[p * step + c]);
  }
}

}  // namespace gatun::kernels
