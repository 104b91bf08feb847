// The stages of convolutions for the kernel of product_hopper.h.
#pragma once

#include "cuda/kernels/conv_hopper.h"
#include "cuda/kernels/product_hopper_kernel.h"

namespace gatun::cuda {

// Windows of images by filters: see convolve_on_hopper.
struct WindowStages {
  struct Place {
    WindowCorner window;  // the tile's first one
    TapOffset offset;
    int32_t tap, result;
  };
  TensorMap a, b;
  Divisor windows_down, windows_across, taps_across, stages;  // of an image, and of a tap
  WindowAxis rows, columns;
  int32_t taps, channels;

  __device__ Place first(const HopperUnit& unit, int64_t term) const {
    int64_t image = unit.row, tap = term / kHopperTerms;
    const auto column = static_cast<int32_t>(windows_across.split(image));
    const auto row = static_cast<int32_t>(windows_down.split(image));
    const auto stage = static_cast<int32_t>(stages.split(tap));
    int64_t tap_row = tap;
    const auto tap_column = static_cast<int32_t>(taps_across.split(tap_row));
    return {{stage * kHopperTerms, columns.first + column * columns.step,
             rows.first + row * rows.step, static_cast<int32_t>(image)},
            {tap_column * columns.tap, static_cast<int32_t>(tap_row) * rows.tap},
            static_cast<int32_t>(tap),
            static_cast<int32_t>(unit.column)};
  }
  template <typename Layout>
  __device__ void load(Place& place, Shared<Bf16> to, Shared<uint64_t> barriers, int i) const {
    using B = typename Layout::B;
    static_assert(Layout::a_along_depth && Layout::A::kBoxes == 1);
    const Shared<Bf16> to_b = to.at(Layout::A::kBytes / 2);
    transfer(to, a, place.window, place.offset, barriers, i);
    if constexpr (Layout::b_along_depth) {
      static_assert(B::kBoxes == 1);
      transfer(to_b, b, place.window.channel, place.tap, place.result, barriers, i);
    } else {
      GATUN_UNROLL
      for (int box = 0; box < B::kBoxes; ++box) {
        transfer(to_b.at(box * (B::kBoxBytes / 2)), b, place.result + box * kLineElements,
                 taps - 1 - place.tap, place.window.channel, barriers, i);
      }
    }
    advance(place);
  }

 private:
  __device__ void advance(Place& place) const {
    place.window.channel += kHopperTerms;
    if (place.window.channel < channels) return;
    place.window.channel = 0;
    ++place.tap;
    place.offset.column += columns.tap;
    if (place.offset.column < static_cast<int32_t>(taps_across.value()) * columns.tap) return;
    place.offset = {0, place.offset.row + rows.tap};
  }
};

// The stages of windows, and of filters by boxes of so many of them.
inline WindowStages window_stages(const char* op, const HopperWindows& windows,
                                  const FilterBank& filters, int filters_of_box) {
  const WindowedImages& x = windows.images;
  const auto axis = [](const WindowedAxis& from, int32_t tap) {
    return WindowAxis{static_cast<int32_t>(from.size), from.first, from.step, tap};
  };
  return {make_tensor_map(op, x, SwizzledTile<kHopperRows, true>::kBoxLines),
          make_tensor_map(op, filters, filters_of_box),
          Divisor(x.rows.windows),
          Divisor(x.columns.windows),
          Divisor(windows.taps_across),
          Divisor((x.channels + kHopperTerms - 1) / kHopperTerms),
          axis(x.rows, windows.tap_row),
          axis(x.columns, windows.tap_column),
          static_cast<int32_t>(windows.taps_down * windows.taps_across),
          static_cast<int32_t>(x.channels)};
}

}  // namespace gatun::cuda
