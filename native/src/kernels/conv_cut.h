// How direct convolutions are cut into dense ones, forward and for the data gradient, in any
// precision.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv_naive.h"
#include "kernels/gemm.h"

namespace gatun::kernels {

// Consecutive result pixels of one axis that see the same taps, [tap_begin, tap_end).
struct Span {
  int64_t begin, end, tap_begin, tap_end;
};

std::vector<Span> spans(int64_t pixels, int64_t stride, int64_t pad, int64_t taps, int64_t size);

// Result pixels that see the same taps.
struct Region {
  Span rows, columns;
  std::vector<Run> runs;
  int64_t depth = 0;
};

// One dense convolution: result pixel (i, j) sees x from row i * stride_h - pad_h and column
// j * stride_w - pad_w on. A forward pass is one; a data gradient is one for each residue of the
// result's pixels modulo the strides, since each residue meets its own taps.
struct Dense {
  int64_t rows = 0, columns = 0;  // result pixels
  int64_t y_start = 0, y_row = 0, y_column = 0;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;  // pads may be negative
  int64_t R = 0, S = 0;
  int64_t weights_begin = 0;  // depth steps into the packed panels
  std::vector<Region> regions = {};
};

// Where the weights of a tap come from and go to.
struct PackedTap {
  int64_t source;       // element of w where the tap's first value lies
  int64_t destination;  // depth steps into the panels
};

struct Cut {
  std::vector<PackedTap> taps;
  std::vector<Dense> parts;
  int64_t depth = 0;  // steps of a packed panel
};

// `tap_depth`: the steps that a tap takes of a panel's depth.
Cut cut_forward(const naive::ConvDims& d, const ConvGeometry& g, int64_t tap_depth);
Cut cut_backward_data(const naive::ConvDims& d, const ConvGeometry& g, int64_t tap_depth);

}  // namespace gatun::kernels
