// What the two ways to a weight gradient of bf16 share: partial sums of groups of pixels.
#pragma once

#include "kernels/conv.h"

namespace gatun::kernels::conv_bf16 {

constexpr int64_t kSumRows = 16;

struct Partials {
  float* dw;  // [filters, taps, channels]
  int64_t filters, taps, channels;
  int64_t block, width;  // a group's sums are [blocks of channels, taps, block, width]
  int64_t groups = 1;
  Scratch<float> partials = {};

  int64_t blocks() const { return (channels + block - 1) / block; }
  int64_t size() const { return blocks() * taps * block * width; }
};

// dw[k, t, c] = sum over groups of their sums[c / block, t, c % block, k], first group first, for
// t * channels + c in [begin, end), kSumRows at most.
void sum_some(const Partials& p, const Context& context, int64_t begin, int64_t end);
// All of them.
void sum_partials(Launcher& launcher, const Partials& p);

// dw is not empty, and neither is dy.
void backward_weights_on_tiles(Launcher& launcher, const Tensor& dw, const Tensor& x,
                               const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels::conv_bf16
