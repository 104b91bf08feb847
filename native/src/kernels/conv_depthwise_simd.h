// The loops of depthwise convolution at the best SIMD level.
#pragma once

#include <cstdint>

#include "core/bf16.h"

namespace gatun::kernels {

constexpr int kDepthwisePixels = 8;

// Where a tap's elements lie from a pixel's place, and its filter [channels].
struct DepthwiseTap {
  int64_t x;
  const float* w;
};

// y[i * y_step + c] = activation(bias[c] + sum over taps of x[i * x_step + tap.x + c] * tap.w[c])
// for i < pixels, c < channels. Taps are added in order.
struct DepthwiseTile {
  const DepthwiseTap* taps;
  int64_t tap_count;
  int64_t pixels, x_step, y_step;
  int64_t channels;
  const float* bias;  // or null
  bool relu;
};
void depthwise(float* y, const float* x, const DepthwiseTile& tile);
void depthwise(Bf16* y, const Bf16* x, const DepthwiseTile& tile);

// sums[t * channels + c] += sum over i < pixels of dy[i * channels + c] * x[i * x_step + taps[t] +
// c]
struct DepthwiseSums {
  const int64_t* taps;
  int64_t tap_count;
  int64_t pixels, x_step;
  int64_t channels;
};
void depthwise_sums(float* const* sums, const float* dy, const float* x, const DepthwiseSums& s);
void depthwise_sums(float* const* sums, const Bf16* dy, const Bf16* x, const DepthwiseSums& s);

}  // namespace gatun::kernels
