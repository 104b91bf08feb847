#include "kernels/conv_simd.h"

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
constexpr int max_pixels(int vectors) {
  return kManyRegisters ? (vectors <= 2 ? 10 : vectors == 3 ? 8 : 6) : (vectors == 1 ? 10 : 6);
}

template <int kPixels, int kVectors>
HWY_INLINE void step(const float* const (&x)[kPixels], int64_t k, const float* weights,
                     V (&sum)[kPixels][kVectors]) {
  const D d;
  V columns[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) columns[j] = hn::LoadU(d, weights + j * kLanes);
#pragma GCC unroll 10
  for (int i = 0; i < kPixels; ++i) {
    const V value = hn::Set(d, x[i][k]);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
  }
}

template <int kPixels, int kVectors>
HWY_INLINE void finish(const PixelTile& tile, V (&sum)[kPixels][kVectors]) {
  const D d;
  constexpr int64_t kWidth = kVectors * kLanes;
  const bool whole = tile.columns == kWidth;
  HWY_ALIGN float edge[kWidth];
#pragma GCC unroll 10
  for (int i = 0; i < kPixels; ++i) {
    float* y = tile.y[i] + tile.y_begin;
    float* row = y;
    if (!whole) {
      row = edge;
      for (int64_t c = 0; tile.accumulate && c < tile.columns; ++c) edge[c] = y[c];
    }
    if (tile.accumulate) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::Add(hn::LoadU(d, row + j * kLanes), sum[i][j]);
      }
    }
    if (tile.relu) {
      // Not Max: a NaN must stay.
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::IfThenZeroElse(hn::Lt(sum[i][j], hn::Zero(d)), sum[i][j]);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) hn::StoreU(sum[i][j], d, row + j * kLanes);
    if (!whole) {
      for (int64_t c = 0; c < tile.columns; ++c) y[c] = edge[c];
    }
  }
}

template <int kPixels, int kVectors>
void multiply_pixels(const PixelTile& tile) {
  const D d;
  constexpr int64_t kWidth = kVectors * kLanes;
  const float* x[kPixels];
#pragma GCC unroll 10
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
#pragma GCC unroll 10
    for (int i = 0; i < kPixels; ++i) sum[i][j] = first;
  }
  const char* ahead = tile.ahead;
  const int64_t ahead_step = tile.ahead_step;
  for (const Run *run = tile.runs, *last = run + tile.run_count; run < last; ++run) {
    const float* weights = tile.weights + run->b * kWidth;
    const int64_t end = run->a + tile.depth;
    int64_t k = run->a;
    for (; k < end - 1; k += 2, weights += 2 * kWidth, ahead += ahead_step) {
      __builtin_prefetch(ahead);
      step(x, k, weights, sum);
      step(x, k + 1, weights + kWidth, sum);
    }
    if (k < end) step(x, k, weights, sum);
  }
  finish(tile, sum);
}

template <int kVectors, int... kPixelsMinusOne>
void fill_pixels(PixelKernels& k, std::integer_sequence<int, kPixelsMinusOne...>) {
  k.max_pixels[kVectors] = sizeof...(kPixelsMinusOne);
  ((k.of[kVectors][kPixelsMinusOne + 1] = multiply_pixels<kPixelsMinusOne + 1, kVectors>), ...);
}

template <int... kVectorsMinusOne>
void fill_all_pixels(PixelKernels& k, std::integer_sequence<int, kVectorsMinusOne...>) {
  (fill_pixels<kVectorsMinusOne + 1>(
       k, std::make_integer_sequence<int, max_pixels(kVectorsMinusOne + 1)>()),
   ...);
}

const PixelKernels* pixel_table() {
  static const PixelKernels kernels = [] {
    PixelKernels k;
    k.lanes = kLanes;
    k.max_vectors = kVectorsHere;
    fill_all_pixels(k, std::make_integer_sequence<int, kVectorsHere>());
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
