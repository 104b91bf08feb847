// What the forward pass and the data gradient of a bf16 convolution are cut into, for their
// drivers: dense convolutions that share an input, and packed weights. Depth counts pairs of
// channels.
#pragma once

#include <memory>

#include "kernels/conv_cut.h"
#include "kernels/gemm_bf16.h"

namespace gatun::kernels::conv_bf16 {

struct Plan {
  const PairKernels* kernels;
  Bf16* y;
  const Bf16 *x, *w, *bias;
  int64_t images, H, W, channels;  // of x
  int64_t y_image;                 // elements
  bool transposed_weights;         // w's rows run along depth
  int64_t w_stride;
  bool relu;
  Panels panels;
  Cut cut;                 // in words of depth
  bool pointwise = false;  // and dense: pixel for pixel, all images' rows taken as those of one
  Scratch<uint32_t> packed_weights = {};
  Scratch<float> packed_bias = {};
  Scratch<Bf16> padded_x = {};
  int64_t images_per_task = 1, bands = 1, panels_per_task = 1;

  bool pads_x() const { return channels % 2 != 0; }
  int64_t words() const { return (channels + 1) / 2; }  // of a pixel of x
  int64_t x_image() const { return H * W * words() * 2; }
  int64_t image_groups() const { return (images + images_per_task - 1) / images_per_task; }
  int64_t panel_groups() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
};

// Multiplies on the tile unit. Needs no regions and no padded x.
void run_on_tiles(Launcher& launcher, const std::shared_ptr<const Plan>& plan);

}  // namespace gatun::kernels::conv_bf16
