#include "kernels/conv_weights_simd.h"

#include <algorithm>
#include <utility>

#include "kernels/ahead.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_weights_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;  // fixed width: accumulators are arrays of vectors
using V = hn::Vec<D>;
constexpr int kLanes = hn::MaxLanes(D());

// Two vectors by 14 rows fill 32 registers with 28 sums; with 16 registers 6 rows leave room.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;
constexpr int max_filter_rows(int vectors) {
  return vectors == 1 ? (kManyRegisters ? 16 : 12) : (kManyRegisters ? 14 : 6);
}

template <int kRows, int kVectors>
HWY_INLINE void add_pixel(const float* dy, const float* x, V (&sum)[kRows][kVectors]) {
  const D d;
  V columns[kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) columns[j] = hn::LoadU(d, x + j * kLanes);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const V value = hn::Set(d, dy[i]);
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
  }
}

template <int kRows, int kVectors>
HWY_INLINE void store_filters(const FilterTile& tile, V (&sum)[kRows][kVectors]) {
  const D d;
  constexpr int64_t kWidth = kVectors * kLanes;
  if (tile.columns == kWidth && tile.accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      float* dw = tile.dw + i * tile.dw_row;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        hn::StoreU(hn::Add(hn::LoadU(d, dw + j * kLanes), sum[i][j]), d, dw + j * kLanes);
      }
    }
  } else if (tile.columns == kWidth) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        hn::StoreU(sum[i][j], d, tile.dw + i * tile.dw_row + j * kLanes);
      }
    }
  } else {
    HWY_ALIGN float edge[kRows * kWidth];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) hn::Store(sum[i][j], d, edge + i * kWidth + j * kLanes);
    }
#pragma GCC unroll 1
    for (int i = 0; i < kRows; ++i) {
      float* dw = tile.dw + i * tile.dw_row;
#pragma GCC unroll 1
      for (int64_t c = 0; c < tile.columns; ++c) {
        dw[c] = tile.accumulate ? dw[c] + edge[i * kWidth + c] : edge[i * kWidth + c];
      }
    }
  }
}

// Pixels between a request and its use. Those of a picture may fall into few sets of L1, so not
// more.
constexpr int64_t kPixelsAhead = 8;

template <int kRows, int kVectors>
void multiply_filters(const FilterTile& tile) {
  const D d;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = hn::Zero(d);
      __builtin_prefetch(tile.dw + i * tile.dw_row + j * kLanes);
    }
  }
  const int64_t dy_step = tile.dy_step, x_step = tile.x_step, ahead_step = tile.ahead_step;
  const float* ahead = ahead_step == 0 ? tile.dw : tile.ahead;
  for (const PixelRun *run = tile.runs, *last = run + tile.run_count; run < last; ++run) {
    const float *dy = tile.dy + run->dy, *x = tile.x + run->x;
    for (int64_t t = run->pixels; t > 0; --t, dy += dy_step, x += x_step, ahead += ahead_step) {
      __builtin_prefetch(ahead, 0, 2);
      fetch<kRows>(dy + kPixelsAhead * dy_step);
      fetch<kVectors * kLanes>(x + kPixelsAhead * x_step);
      add_pixel(dy, x, sum);
    }
  }
  store_filters(tile, sum);
}

// Pixels come from memory for the first time.
constexpr int64_t kFloatsAhead = 1024;

void pack_pixels(float* packed, const PixelParts& parts, const float* from, int64_t step,
                 int64_t pixels) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t p = 0; p < pixels; ++p, from += step, packed += parts.width) {
    for (int64_t part = 0; part < parts.count; ++part) {
      const float* source = from + parts.starts[part];
      float* to = packed + part * parts.part_size;
      const int64_t columns = std::min(parts.width, parts.channels - parts.starts[part]);
      int64_t c = 0;
      for (; c + lanes <= columns; c += lanes) {
        __builtin_prefetch(source + c + kFloatsAhead);
        hn::StoreU(hn::LoadU(d, source + c), d, to + c);
      }
      if (c < columns) {
        hn::StoreU(load_first(d, source + c, columns - c, hn::Zero(d)), d, to + c);
        c += lanes;
      }
      for (; c < parts.width; c += lanes) hn::StoreU(hn::Zero(d), d, to + c);
    }
  }
}

template <int kVectors, int... kRowsMinusOne>
void fill_filters(FilterKernels& k, std::integer_sequence<int, kRowsMinusOne...>) {
  k.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((k.of[kVectors][kRowsMinusOne + 1] = multiply_filters<kRowsMinusOne + 1, kVectors>), ...);
}

const FilterKernels* filter_table() {
  static const FilterKernels kernels = [] {
    FilterKernels k;
    k.lanes = kLanes;
    k.pack = pack_pixels;
    fill_filters<1>(k, std::make_integer_sequence<int, max_filter_rows(1)>());
    fill_filters<2>(k, std::make_integer_sequence<int, max_filter_rows(2)>());
    return k;
  }();
  return &kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(filter_table);
const FilterKernels& filter_kernels() { return *HWY_DYNAMIC_DISPATCH(filter_table)(); }
}  // namespace gatun::kernels
#endif
