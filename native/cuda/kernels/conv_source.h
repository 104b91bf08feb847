// The operands of convolutions as sources of products: pixels as windows see them, and filters as a
// data gradient sees them.
#pragma once

#include "cuda/kernels/divisor.h"
#include "cuda/kernels/tile.h"

namespace gatun::cuda {

// One axis of an image of `size` pixels: tap t of window i lies at first + i step + t tap.
struct WindowAxis {
  int32_t size, first, step, tap;
};

// What windows see: a line is a window, a position along it a tap's channel. Taps outside the image
// are 0. Images have pixels of whole chunks.
template <typename T>
struct WindowSource {
  using Element = T;
  struct Line {
    int64_t image = -1;  // where it begins; negative for no window
    int32_t h = 0, w = 0;
  };
  struct Position {
    int64_t channel = -1;  // negative for no tap
    int32_t h = 0, w = 0;
  };

  Global<const T> data;
  int64_t lines, positions;
  WindowAxis rows, columns;
  Divisor windows_down, windows_across, taps_across, channels;
  int64_t pixel_step, row_step, image_step;

  __device__ Line line(int64_t i) const {
    if (i >= lines) return {};
    const auto across = static_cast<int32_t>(windows_across.split(i));
    const auto down = static_cast<int32_t>(windows_down.split(i));
    return {i * image_step, rows.first + down * rows.step, columns.first + across * columns.step};
  }
  __device__ Position position(int64_t j) const {
    if (j >= positions) return {};
    const int64_t channel = channels.split(j);
    const auto across = static_cast<int32_t>(taps_across.split(j));
    return {channel, static_cast<int32_t>(j) * rows.tap, across * columns.tap};
  }
  __device__ int64_t at(const Line& line, const Position& position) const {
    const int32_t h = line.h + position.h, w = line.w + position.w;
    const bool inside = h >= 0 && h < rows.size && w >= 0 && w < columns.size;
    if (line.image < 0 || position.channel < 0 || !inside) return -1;
    return line.image + h * row_step + w * pixel_step + position.channel;
  }
};

// Filters [K,R,S,C]: a line is a tap and a filter, the positions are channels. Of the taps there
// are those from `first` on, `step` apart along each axis; beside the `filter_count` filters there
// may be some of zeros.
template <typename T>
struct FilterSource {
  using Element = T;
  using Line = int64_t;
  using Position = int64_t;

  Global<const T> data;
  int64_t lines, channels, filter_count;
  Divisor filters, taps_across;
  int64_t first, filter_step, tap_row_step, tap_step;

  __device__ Line line(int64_t i) const {
    if (i >= lines) return -1;
    const int64_t filter = filters.split(i), across = taps_across.split(i);
    if (filter >= filter_count) return -1;
    return first + filter * filter_step + i * tap_row_step + across * tap_step;
  }
  __device__ Position position(int64_t j) const { return j < channels ? j : -1; }
  __device__ int64_t at(Line line, Position position) const {
    return line < 0 || position < 0 ? -1 : line + position;
  }
};

// Rows of a product that are some of the pixels of images.
struct PixelRows {
  Divisor down, across;
  int64_t first, pixel_step, row_step, image_step;

  __device__ int64_t at(int64_t i) const {
    const int64_t w = across.split(i), h = down.split(i);
    return first + i * image_step + h * row_step + w * pixel_step;
  }
};

// Rows of a product that are the channels of taps, some of which are no more than padding.
struct TapRows {
  Divisor padded;
  int64_t channels;

  __device__ int64_t at(int64_t i) const {
    const int64_t channel = padded.split(i);
    return channel < channels ? i * channels + channel : -1;
  }
};

}  // namespace gatun::cuda
