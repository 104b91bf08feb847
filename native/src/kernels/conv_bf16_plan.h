// What the forward pass and the data gradient of a bf16 convolution are cut into, for their
// drivers: dense convolutions that share an input, and packed weights. Depth counts pairs of
// channels.
#pragma once

#include <memory>
#include <vector>

#include "kernels/conv_naive.h"
#include "kernels/gemm_bf16.h"

namespace gatun::kernels::conv_bf16 {

// Consecutive result pixels of one axis that see the same taps, [tap_begin, tap_end).
struct Span {
  int64_t begin, end, tap_begin, tap_end;
};

struct Region {
  Span rows, columns;
  std::vector<Run> runs;
  int64_t depth = 0;  // words
};

// One dense convolution, as in conv.cpp: the forward pass, or one residue of the data gradient.
struct Dense {
  int64_t rows = 0, columns = 0;  // result pixels
  int64_t y_start = 0, y_row = 0, y_column = 0;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;  // pads may be negative
  int64_t R = 0, S = 0;
  int64_t weights_begin = 0;  // words of depth before it in a packed panel
  std::vector<Region> regions = {};
};

// Where the weights of a tap come from and go to, in elements of w and words of depth.
struct PackedTap {
  int64_t source, destination;
};

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
  bool pointwise = false;  // and dense: pixel for pixel, all images' rows taken as those of one
  int64_t depth = 0;       // words in a column of a packed panel
  std::vector<PackedTap> taps = {};
  std::vector<Dense> parts = {};
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
