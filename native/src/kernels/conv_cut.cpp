#include "kernels/conv_cut.h"

#include <algorithm>

namespace gatun::kernels {
namespace {

// One axis of a data gradient for result pixels residue, residue + stride, ...: pixel
// i * stride + residue meets taps first + stride * t, in falling order along dy.
struct Residue {
  int64_t pixels, first, taps, pad;

  Residue(int64_t residue, int64_t size, int64_t kernel, int64_t stride, int64_t padding)
      : pixels((size - residue + stride - 1) / stride),
        first((residue + padding) % stride),
        taps(first < kernel ? (kernel - first + stride - 1) / stride : 0),
        pad(taps - 1 - (residue + padding - first) / stride) {}
  int64_t tap(int64_t t, int64_t stride) const { return first + (taps - 1 - t) * stride; }
};

}  // namespace

std::vector<Span> spans(int64_t pixels, int64_t stride, int64_t pad, int64_t taps, int64_t size) {
  std::vector<Span> result;
  for (int64_t i = 0; i < pixels; ++i) {
    int64_t lo = std::clamp<int64_t>(pad - i * stride, 0, taps);
    int64_t hi = std::clamp<int64_t>(size + pad - i * stride, 0, taps);
    if (lo >= hi) lo = hi = 0;
    if (!result.empty() && result.back().tap_begin == lo && result.back().tap_end == hi) {
      ++result.back().end;
    } else {
      result.push_back({i, i + 1, lo, hi});
    }
  }
  return result;
}

Cut cut_forward(const naive::ConvDims& d, const ConvGeometry& g, int64_t tap_depth) {
  Cut cut;
  for (int64_t t = 0; t < d.R * d.S; ++t) cut.taps.push_back({t * d.C, t * tap_depth});
  cut.depth = d.R * d.S * tap_depth;
  cut.parts.push_back({.rows = d.P,
                       .columns = d.Q,
                       .y_row = d.Q * d.K,
                       .y_column = d.K,
                       .stride_h = g.stride_h,
                       .stride_w = g.stride_w,
                       .pad_h = g.pad_h,
                       .pad_w = g.pad_w,
                       .R = d.R,
                       .S = d.S});
  return cut;
}

Cut cut_backward_data(const naive::ConvDims& d, const ConvGeometry& g, int64_t tap_depth) {
  Cut cut;
  for (int64_t a = 0; a < std::min(g.stride_h, d.H); ++a) {
    for (int64_t b = 0; b < std::min(g.stride_w, d.W); ++b) {
      const Residue row(a, d.H, d.R, g.stride_h, g.pad_h), column(b, d.W, d.S, g.stride_w, g.pad_w);
      cut.parts.push_back({.rows = row.pixels,
                           .columns = column.pixels,
                           .y_start = (a * d.W + b) * d.C,
                           .y_row = g.stride_h * d.W * d.C,
                           .y_column = g.stride_w * d.C,
                           .pad_h = row.pad,
                           .pad_w = column.pad,
                           .R = row.taps,
                           .S = column.taps,
                           .weights_begin = cut.depth});
      for (int64_t r = 0; r < row.taps; ++r) {
        for (int64_t s = 0; s < column.taps; ++s) {
          cut.taps.push_back(
              {(row.tap(r, g.stride_h) * d.S + column.tap(s, g.stride_w)) * d.C, cut.depth});
          cut.depth += tap_depth;
        }
      }
    }
  }
  return cut;
}

}  // namespace gatun::kernels
