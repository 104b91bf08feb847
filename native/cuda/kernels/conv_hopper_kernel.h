// The stages of convolutions for the kernel of product_hopper.h.
#pragma once

#include "cuda/kernels/conv_hopper.h"
#include "cuda/kernels/product_hopper_kernel.h"

namespace gatun::cuda {

// Where windows and their taps lie. Boxes of 64 channels of a tap follow each other, tap after tap.
struct WindowPlaces {
  // A tap, its offset, and the first channel of one of its boxes.
  struct Tap {
    int32_t number, channel;
    TapOffset offset;
  };

  Divisor windows_down, windows_across, taps_across, boxes;  // of an image, a filter, and a tap
  WindowAxis rows, columns;
  int32_t taps, channels;

  __device__ WindowCorner corner(int64_t window) const {
    const auto column = static_cast<int32_t>(windows_across.split(window));
    const auto row = static_cast<int32_t>(windows_down.split(window));
    return {0, columns.first + column * columns.step, rows.first + row * rows.step,
            static_cast<int32_t>(window)};
  }
  __device__ Tap tap(int64_t box) const {
    int64_t number = box;
    const auto channel = static_cast<int32_t>(boxes.split(number)) * kLineElements;
    int64_t row = number;
    const auto column = static_cast<int32_t>(taps_across.split(row));
    return {static_cast<int32_t>(number),
            channel,
            {column * columns.tap, static_cast<int32_t>(row) * rows.tap}};
  }
  // To the next box.
  __device__ void advance(Tap& tap) const {
    tap.channel += kLineElements;
    if (tap.channel < channels) return;
    tap.channel = 0;
    ++tap.number;
    tap.offset.column += columns.tap;
    if (tap.offset.column < static_cast<int32_t>(taps_across.value()) * columns.tap) return;
    tap.offset = {0, tap.offset.row + rows.tap};
  }
  // Copies a tap of windows from one on.
  __device__ void load(const TensorMap& map, WindowCorner window, const Tap& tap, Shared<Bf16> to,
                       Shared<uint64_t> barriers, int i) const {
    window.channel = tap.channel;
    transfer(to, map, window, tap.offset, barriers, i);
  }
};

// Windows of images by filters: see convolve_on_hopper.
struct WindowStages {
  struct Place {
    WindowCorner window;  // the tile's first one
    WindowPlaces::Tap tap;
    int32_t result;
  };
  TensorMap a, b;
  WindowPlaces windows;

  __device__ Place first(const HopperUnit& unit, int64_t term) const {
    return {windows.corner(unit.row), windows.tap(term / kHopperTerms),
            static_cast<int32_t>(unit.column)};
  }
  template <typename Layout>
  __device__ void load(Place& place, Shared<Bf16> to, Shared<uint64_t> barriers, int i) const {
    using B = typename Layout::B;
    static_assert(Layout::a_along_depth && Layout::A::kBoxes == 1);
    const Shared<Bf16> to_b = to.at(Layout::A::kBytes / 2);
    windows.load(a, place.window, place.tap, to, barriers, i);
    if constexpr (Layout::b_along_depth) {
      static_assert(B::kBoxes == 1);
      transfer(to_b, b, place.tap.channel, place.tap.number, place.result, barriers, i);
    } else {
      GATUN_UNROLL
      for (int box = 0; box < B::kBoxes; ++box) {
        transfer(to_b.at(box * (B::kBoxBytes / 2)), b, place.result + box * kLineElements,
                 windows.taps - 1 - place.tap.number, place.tap.channel, barriers, i);
      }
    }
    windows.advance(place.tap);
  }
};

// Gradients of results by windows: see sum_on_hopper.
struct WindowGradientStages {
  struct Place {
    int32_t filter, pixel;
    WindowPlaces::Tap tap;  // the tile's first one
  };
  TensorMap a, b;
  WindowPlaces windows;

  __device__ Place first(const HopperUnit& unit, int64_t term) const {
    return {static_cast<int32_t>(unit.row), static_cast<int32_t>(term),
            windows.tap(unit.column / kLineElements)};
  }
  template <typename Layout>
  __device__ void load(Place& place, Shared<Bf16> to, Shared<uint64_t> barriers, int i) const {
    using A = typename Layout::A;
    using B = typename Layout::B;
    static_assert(!Layout::a_along_depth && !Layout::b_along_depth);
    const Shared<Bf16> to_b = to.at(A::kBytes / 2);
    GATUN_UNROLL
    for (int box = 0; box < A::kBoxes; ++box) {
      transfer(to.at(box * (A::kBoxBytes / 2)), a, place.filter + box * kLineElements, place.pixel,
               barriers, i);
    }
    const WindowCorner window = windows.corner(place.pixel);
    WindowPlaces::Tap tap = place.tap;
    GATUN_UNROLL
    for (int box = 0; box < B::kBoxes; ++box) {
      // Behind the last tap there are zeros, as there are behind the last channel.
      if (tap.number >= windows.taps) tap = {windows.taps, windows.channels, {0, 0}};
      windows.load(b, window, tap, to_b.at(box * (B::kBoxBytes / 2)), barriers, i);
      windows.advance(tap);
    }
    place.pixel += kHopperTerms;
  }
};

inline WindowPlaces window_places(const HopperWindows& windows) {
  const WindowedImages& x = windows.images;
  const auto axis = [](const WindowedAxis& from, int32_t tap) {
    return WindowAxis{static_cast<int32_t>(from.size), from.first, from.step, tap};
  };
  return {Divisor(x.rows.windows),
          Divisor(x.columns.windows),
          Divisor(windows.taps_across),
          Divisor((x.channels + kLineElements - 1) / kLineElements),
          axis(x.rows, windows.tap_row),
          axis(x.columns, windows.tap_column),
          static_cast<int32_t>(windows.taps_down * windows.taps_across),
          static_cast<int32_t>(x.channels)};
}

// Filters come by boxes of so many of them.
inline WindowStages window_stages(const char* op, const HopperWindows& windows,
                                  const FilterBank& filters, int filters_of_box) {
  return {make_tensor_map(op, windows.images, kHopperRows),
          make_tensor_map(op, filters, filters_of_box), window_places(windows)};
}
inline WindowGradientStages window_gradient_stages(const char* op, const HopperMatrix& dy,
                                                   const HopperWindows& windows) {
  return {make_tensor_map(op, dy, kHopperTerms), make_tensor_map(op, windows.images, kHopperTerms),
          window_places(windows)};
}

}  // namespace gatun::cuda
