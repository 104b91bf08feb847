// The micro-kernels of convolution: a tile of a few result pixels by one to four vectors of output
// channels, summed in registers over runs of depth. With four vectors few pixels suffice to hide
// the latency of the multiply-add, so corners and small images cost no more than their taps, and
// few rows share a set of L1 however far apart they lie. One or two vectors take many pixels
// instead, all of one row, whose places follow from the first.
#pragma once

#include <cstdint>

#include "kernels/gemm.h"

namespace gatun::kernels {

constexpr int kMaxPixelVectors = 4;
constexpr int kMaxPixels = 6;
constexpr int kMaxRowVectors = 2;
constexpr int kMaxRowPixels = 16;

// y[i][y_begin + j] = activation(bias[j] + sum over runs, d < depth of x[i][run.a + d] *
// weights[run.b + d][j]), or added to what y holds if `accumulate`.
struct PixelTile {
  const float* const* x = nullptr;  // where each pixel's first tap lies
  const float* weights = nullptr;   // whole vectors of channels
  const Run* runs = nullptr;
  int64_t run_count = 0;
  int64_t depth = 0;
  float* const* y = nullptr;
  int64_t x_step = 0, y_step = 0;  // pixels of a row: between them; x and y hold the first's place
  int64_t y_begin = 0;
  int64_t columns = 0;          // to store; the others are computed and dropped
  const float* bias = nullptr;  // whole vectors of channels, or zero
  bool accumulate = false;
  bool relu = false;
  // Memory that later tiles read, and how many bytes of it to ask for with every step of depth.
  const char* ahead = nullptr;
  int64_t ahead_step = 0;
  // Weights that later tiles read, likewise; pixels anywhere only. They go to L2.
  const char* next_weights = nullptr;
  int64_t next_weights_step = 0;
};

using PixelKernel = void (*)(const PixelTile&);

// of[vectors][pixels] for pixels anywhere, of_row[vectors][pixels] for pixels of a row.
struct PixelKernels {
  int lanes = 0;
  int max_vectors = 0;
  PixelKernel of[kMaxPixelVectors + 1][kMaxPixels + 1] = {};
  int max_row_pixels[kMaxRowVectors + 1] = {};
  PixelKernel of_row[kMaxRowVectors + 1][kMaxRowPixels + 1] = {};
};

// Those of the best SIMD level this process may use now.
const PixelKernels& pixel_kernels();

}  // namespace gatun::kernels
