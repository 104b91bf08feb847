// The operands of convolutions as the copy engine (TMA) reads them: see hopper.h.
#pragma once

#include "cuda/primitives.h"

namespace gatun::cuda {

// Filters [filters, taps, channels], dense. A box is 64 channels of one tap of some filters, so
// what is beyond the last channel is 0, and not the next tap.
struct FilterBank {
  Global<const Bf16> data;
  int64_t filters, taps, channels;
};

// An axis of images. Windows lie `step` apart on it; the first tap of the first one is at `first`.
struct WindowedAxis {
  int64_t size;
  int32_t first, step;
  int64_t windows;
};
// Images [images, rows, columns, channels], dense, as windows see them: what is copied at a time is
// 64 channels of one tap of windows that follow each other, from column to column, row to row,
// image to image. Taps outside an image, and windows of no image, are 0.
struct WindowedImages {
  Global<const Bf16> data;
  int64_t images;
  WindowedAxis rows, columns;
  int64_t channels;
};
// The copy engine's im2col mode (PTX ISA, "Im2col mode"; cuTensorMapEncodeIm2col) lets the first
// taps run through a box in the image: from `first` on at the lower side; here, from the last
// pixel, at the upper one. Both are written in 8 bits, as are a tap's offsets, which are not
// negative.
constexpr int64_t upper_corner(const WindowedAxis& axis) {
  return axis.first + (axis.windows - 1) * axis.step - (axis.size - 1);
}
constexpr int64_t kLeastCorner = -128, kMostCorner = 127;
constexpr int64_t kMostTapOffset = 255;
constexpr int64_t kMostWindowStep = 8;
constexpr int64_t kMostCopyStep = int64_t{1} << 40;  // in bytes, from one image to the next

}  // namespace gatun::cuda
