// Convolutions in bf16 by the kernel of product_hopper.h: windows of images, which the copy engine
// finds by itself, by filters. A stage of the ring is 64 channels of one tap, so a tap's channels
// count as if they were whole stages. As with products, none of it has yet run on a GPU.
#pragma once

#include "cuda/kernels/conv_copies.h"
#include "cuda/kernels/conv_source.h"
#include "cuda/kernels/product_hopper.h"

namespace gatun::cuda {

// What windows see of images, of taps `tap_row` and `tap_column` pixels apart. Taps are counted
// along rows.
struct HopperWindows {
  WindowedImages images;
  int64_t taps_down, taps_across;
  int32_t tap_row, tap_column;

  // Terms, with those that fill stages up.
  int64_t depth() const {
    constexpr int64_t kStage = kHopperTerms;
    return taps_down * taps_across * ((images.channels + kStage - 1) / kStage * kStage);
  }
};

// The same windows, beginning at their first taps: where the source counts taps backwards, as a
// data gradient's does, they are counted forwards here.
inline HopperWindows windows_on_hopper(const WindowSource<Bf16>& source) {
  const int64_t down = source.windows_down.value(), across = source.windows_across.value();
  const int64_t channels = source.channels.value(), taps = source.positions / channels;
  const int64_t taps_across = source.taps_across.value(), taps_down = taps / taps_across;
  const auto axis = [](const WindowAxis& from, int64_t taps, int64_t windows) {
    const auto back = static_cast<int32_t>(from.tap < 0 ? (taps - 1) * from.tap : 0);
    return WindowedAxis{from.size, from.first + back, from.step, windows};
  };
  return {{source.data, source.lines / (down * across), axis(source.rows, taps_down, down),
           axis(source.columns, taps_across, across), channels},
          taps_down,
          taps_across,
          source.rows.tap < 0 ? -source.rows.tap : source.rows.tap,
          source.columns.tap < 0 ? -source.columns.tap : source.columns.tap};
}

// Whether the copy engine has numbers for it.
inline bool fits_copy_engine(const HopperWindows& w) {
  const auto fits = [](const WindowedAxis& axis, int64_t taps, int64_t tap) {
    return axis.size > 0 && axis.first >= kLeastCorner && axis.first <= kMostCorner &&
           upper_corner(axis) >= kLeastCorner && upper_corner(axis) <= kMostCorner &&
           axis.step <= kMostWindowStep && (taps - 1) * tap <= kMostTapOffset;
  };
  const WindowedImages& x = w.images;
  const int64_t image_bytes = x.rows.size * x.columns.size * x.channels * 2;
  return fits(x.rows, w.taps_down, w.tap_row) && fits(x.columns, w.taps_across, w.tap_column) &&
         image_bytes < kMostCopyStep;
}

// The kernel's launch. Filters are along depth as they are for a convolution, [columns, taps,
// channels]; for a data gradient they are not, [channels, taps, columns], and their taps are
// turned: the last one comes first.
void convolve_on_hopper(Queue& queue, const HopperPlan& plan, const HopperWindows& windows,
                        const FilterBank& filters, bool filters_along_depth,
                        const HopperSums& sums);

// Computes a product of windows and filters if it is to be computed so, or returns false. Results
// lie side by side.
template <typename B, typename Rows>
bool launch_on_hopper(Queue& queue, const Product<WindowSource<Bf16>, B, Rows, Bf16>& p,
                      const FilterBank& filters, bool filters_along_depth) {
  if constexpr (kHasHopper) {
    if (p.count != 1 || p.rows < 1 || p.depth < 1) return false;
    const HopperWindows windows = windows_on_hopper(p.a);
    const int64_t depth = windows.depth();
    // At least half of what is multiplied are terms.
    const auto plan =
        plan_on_hopper(queue, p.rows, p.columns, depth,
                       suits_hopper(p.rows, p.columns, p.depth) && 2 * p.depth >= depth);
    if (!plan || !fits_copy_engine(windows)) return false;
    finish_on_hopper(queue, p, *plan, depth, p.columns, [&](const HopperSums& sums) {
      convolve_on_hopper(queue, *plan, windows, filters, filters_along_depth, sums);
    });
    return true;
  } else {
    return false;
  }
}

// The launch for a weight gradient, [filters, taps, channels]: dy [windows, filters] by windows of
// x, summed over windows. Taps have whole boxes of 64 channels.
void sum_on_hopper(Queue& queue, const HopperPlan& plan, const HopperMatrix& dy,
                   const HopperWindows& windows, const HopperSums& sums);

// The same of such a product. Y is f32.
template <typename Y>
bool launch_on_hopper(Queue& queue, Product<HopperMatrix, WindowSource<Bf16>, EvenRows, Y> p) {
  if constexpr (kHasHopper) {
    if (p.count != 1 || p.columns < 1 || p.depth < 1) return false;
    const HopperWindows windows = windows_on_hopper(p.b);
    if (p.columns != windows.depth() || !fits_copy_engine(windows)) return false;
    const auto plan =
        plan_on_hopper(queue, p.rows, p.columns, p.depth, suits_hopper(p.rows, p.columns, p.depth));
    if (!plan) return false;
    put_in_chunks(queue, p.a, p.a_step, 1);
    finish_on_hopper(queue, p, *plan, p.depth, p.place.step, [&](const HopperSums& sums) {
      sum_on_hopper(queue, *plan, p.a, windows, sums);
    });
    return true;
  } else {
    return false;
  }
}

}  // namespace gatun::cuda
