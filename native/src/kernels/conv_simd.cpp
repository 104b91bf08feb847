#include "kernels/conv_simd.h"

#include <algorithm>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;  // fixed width: accumulators are arrays of vectors
using V = hn::Vec<D>;
constexpr int kLanes = hn::MaxLanes(D());

// Each pixel takes a general register, each sum a vector register.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;
constexpr int kVectorsHere = kManyRegisters ? 4 : 2;
constexpr int max_row_pixels(int vectors) {
  return kManyRegisters ? (vectors == 1 ? 16 : 14) : (vectors == 1 ? 12 : 6);
}

template <int kPixels, int kVectors>
HWY_INLINE void step(const float* const (&x)[kPixels], int64_t k, const float* weights,
                     V (&sum)[kPixels][kVectors]) {
  const D d;
  V columns[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) columns[j] = hn::LoadU(d, weights + j * kLanes);
#pragma GCC unroll 6
  for (int i = 0; i < kPixels; ++i) {
    const V value = hn::Set(d, x[i][k]);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
  }
}

// A tile whose channels end inside a vector is computed beside its place.
HWY_NOINLINE void multiply_edge(const PixelTile& tile, PixelKernel kernel, int pixels,
                                int64_t width) {
  HWY_ALIGN float whole[kMaxPixels * kMaxPixelVectors * kLanes];
  float* y_rows[kMaxPixels];
  for (int i = 0; i < pixels; ++i) {
    y_rows[i] = whole + i * width;
    if (!tile.accumulate) continue;
    std::copy_n(tile.y[i] + tile.y_begin, tile.columns, y_rows[i]);
    std::fill(y_rows[i] + tile.columns, y_rows[i] + width, 0.0f);
  }
  PixelTile beside = tile;
  beside.y = y_rows;
  beside.y_begin = 0;
  beside.columns = width;
  kernel(beside);
  for (int i = 0; i < pixels; ++i) {
    std::copy_n(y_rows[i], tile.columns, tile.y[i] + tile.y_begin);
  }
}

// The same for pixels of a row.
HWY_NOINLINE void multiply_row_edge(const PixelTile& tile, PixelKernel kernel, int pixels,
                                    int64_t width) {
  HWY_ALIGN float whole[kMaxRowPixels * kMaxRowVectors * kLanes];
  float *to = tile.y[0] + tile.y_begin, *y = whole;
  for (int i = 0; i < pixels && tile.accumulate; ++i) {
    std::copy_n(to + i * tile.y_step, tile.columns, y + i * width);
    std::fill(y + i * width + tile.columns, y + (i + 1) * width, 0.0f);
  }
  PixelTile beside = tile;
  beside.y = &y;
  beside.y_begin = 0;
  beside.y_step = width;
  beside.columns = width;
  kernel(beside);
  for (int i = 0; i < pixels; ++i) std::copy_n(y + i * width, tile.columns, to + i * tile.y_step);
}

// y(i) is where pixel i's result starts.
template <int kPixels, int kVectors, typename Y>
HWY_INLINE void finish(const PixelTile& tile, const Y& y, V (&sum)[kPixels][kVectors]) {
  const D d;
  if (tile.accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::Add(hn::LoadU(d, y(i) + j * kLanes), sum[i][j]);
      }
    }
  }
  if (tile.relu) {
    // Not Max: a NaN must stay.
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::IfThenZeroElse(hn::Lt(sum[i][j], hn::Zero(d)), sum[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) hn::StoreU(sum[i][j], d, y(i) + j * kLanes);
  }
}

template <int kPixels, int kVectors>
void multiply_pixels(const PixelTile& tile) {
  const D d;
  constexpr int64_t kWidth = kVectors * kLanes;
  if (tile.columns != kWidth) {
    return multiply_edge(tile, multiply_pixels<kPixels, kVectors>, kPixels, kWidth);
  }
  const float* x[kPixels];
#pragma GCC unroll 6
  for (int i = 0; i < kPixels; ++i) {
    x[i] = tile.x[i];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      __builtin_prefetch(tile.y[i] + tile.y_begin + j * kLanes);
    }
  }
  V sum[kPixels][kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    const V first = tile.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, tile.bias + j * kLanes);
#pragma GCC unroll 6
    for (int i = 0; i < kPixels; ++i) sum[i][j] = first;
  }
  const char* ahead = tile.ahead;
  const char* next = tile.next_weights;
  const int64_t ahead_step = tile.ahead_step;
  for (const Run *run = tile.runs, *last = run + tile.run_count; run < last; ++run) {
    const float* weights = tile.weights + run->b * kWidth;
    const int64_t end = run->a + tile.depth;
    int64_t k = run->a;
    for (; k < end; ++k, weights += kWidth, ahead += ahead_step, next += tile.next_weights_step) {
      __builtin_prefetch(ahead);
      __builtin_prefetch(next, 0, 2);
      step(x, k, weights, sum);
    }
  }
  finish(
      tile, [&](int i) { return tile.y[i] + tile.y_begin; }, sum);
}

// Four pixels share a pointer: an address may add a register times 4 or 8 bytes.
template <int kPixels, int kVectors>
HWY_INLINE void step_row(const float* const (&x)[(kPixels + 3) / 4], int64_t step, int64_t step3,
                         const float* weights, V (&sum)[kPixels][kVectors]) {
  const D d;
  V columns[kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) columns[j] = hn::LoadU(d, weights + j * kLanes);
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) {
    const float* p = x[i / 4];
    p += i % 4 == 0 ? 0 : i % 4 == 1 ? step : i % 4 == 2 ? 2 * step : step3;
    const V value = hn::Set(d, *p);
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
  }
}

template <int kPixels, int kVectors>
void multiply_row(const PixelTile& tile) {
  const D d;
  constexpr int kGroups = (kPixels + 3) / 4;
  constexpr int64_t kWidth = kVectors * kLanes;
  if (tile.columns != kWidth) {
    return multiply_row_edge(tile, multiply_row<kPixels, kVectors>, kPixels, kWidth);
  }
  const int64_t step = tile.x_step, step3 = 3 * step;
  float* y = tile.y[0] + tile.y_begin;
  V sum[kPixels][kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) {
    const V first = tile.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, tile.bias + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
      sum[i][j] = first;
      __builtin_prefetch(y + i * tile.y_step + j * kLanes);
    }
  }
  const float* x[kGroups];
  const char* ahead = tile.ahead;
  const int64_t ahead_step = tile.ahead_step;
  for (const Run *run = tile.runs, *last = run + tile.run_count; run < last; ++run) {
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) x[g] = tile.x[0] + run->a + 4 * g * step;
    const float* weights = tile.weights + run->b * kWidth;
    for (int64_t k = tile.depth; k > 0; --k, weights += kWidth, ahead += ahead_step) {
      __builtin_prefetch(ahead);
      step_row(x, step, step3, weights, sum);
#pragma GCC unroll 4
      for (int g = 0; g < kGroups; ++g) {
        ++x[g];
        asm("" : "+r"(x[g]));  // or the compiler gives every pixel a pointer of its own
      }
    }
  }
  finish(
      tile, [&](int i) { return y + i * tile.y_step; }, sum);
}

template <int kVectors, int... kPixelsMinusOne>
void fill_pixels(PixelKernels& k, std::integer_sequence<int, kPixelsMinusOne...>) {
  ((k.of[kVectors][kPixelsMinusOne + 1] = multiply_pixels<kPixelsMinusOne + 1, kVectors>), ...);
}

template <int... kVectorsMinusOne>
void fill_all_pixels(PixelKernels& k, std::integer_sequence<int, kVectorsMinusOne...>) {
  (fill_pixels<kVectorsMinusOne + 1>(k, std::make_integer_sequence<int, kMaxPixels>()), ...);
}

template <int kVectors, int... kPixelsMinusOne>
void fill_rows(PixelKernels& k, std::integer_sequence<int, kPixelsMinusOne...>) {
  k.max_row_pixels[kVectors] = sizeof...(kPixelsMinusOne);
  ((k.of_row[kVectors][kPixelsMinusOne + 1] = multiply_row<kPixelsMinusOne + 1, kVectors>), ...);
}

const PixelKernels* pixel_table() {
  static const PixelKernels kernels = [] {
    PixelKernels k;
    k.lanes = kLanes;
    k.max_vectors = kVectorsHere;
    fill_all_pixels(k, std::make_integer_sequence<int, kVectorsHere>());
    fill_rows<1>(k, std::make_integer_sequence<int, max_row_pixels(1)>());
    fill_rows<2>(k, std::make_integer_sequence<int, max_row_pixels(2)>());
    return k;
  }();
  return &kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(pixel_table);
const PixelKernels& pixel_kernels() { return *HWY_DYNAMIC_DISPATCH(pixel_table)(); }
}  // namespace gatun::kernels
#endif
