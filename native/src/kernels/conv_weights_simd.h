// The micro-kernels of the weight gradient: a tile of a few output channels by one or two vectors
// of input channels, summed over pixels.
#pragma once

#include <cstdint>

namespace gatun::kernels {

constexpr int kMaxFilterRows = 16;

// Pixels that follow each other in both operands.
struct PixelRun {
  int64_t dy = 0, x = 0;  // elements to add to the operands' starts
  int64_t pixels = 0;
};

// dw[i * dw_row + j] = sum over runs, t < pixels of dy[run.dy + t * dy_step + i] *
// x[run.x + t * x_step + j], added to what dw holds if `accumulate`.
struct FilterTile {
  const float* dy = nullptr;
  int64_t dy_step = 0;
  const float* x = nullptr;  // whole vectors of channels
  int64_t x_step = 0;
  const PixelRun* runs = nullptr;
  int64_t run_count = 0;
  float* dw = nullptr;
  int64_t dw_row = 0;
  int64_t columns = 0;  // to store; the others are computed and dropped
  bool accumulate = false;
  // With each pixel a line is asked for that later tiles read, from here on; step 0: none.
  const float* ahead = nullptr;
  int64_t ahead_step = 0;
};

using FilterKernel = void (*)(const FilterTile&);

// Copies `pixels` pixels, `step` elements apart, in parts of `width` channels: channel starts[i] +
// c of pixel p goes to packed[i * part_size + p * width + c], and zeros where there is none. Every
// pixel is read once, as it lies.
struct PixelParts {
  const int64_t* starts = nullptr;
  int64_t count = 0, width = 0, part_size = 0;
  int64_t channels = 0;  // of a pixel
};
using PixelPacker = void (*)(float* packed, const PixelParts& parts, const float* from,
                             int64_t step, int64_t pixels);

// of[vectors][rows]
struct FilterKernels {
  int lanes = 0;
  int max_rows[3] = {};
  FilterKernel of[3][kMaxFilterRows + 1] = {};
  PixelPacker pack = nullptr;  // widths are whole vectors
};

// Those of the best SIMD level this process may use now.
const FilterKernels& filter_kernels();

}  // namespace gatun::kernels
