#include "kernels/conv_depthwise_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_depthwise_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Some pixels of one vector of channels: their sums stay in registers.
template <int kPixels, class D, typename T>
HWY_INLINE void sum_pixels(D d, T* y, const T* x, const DepthwiseTile& tile, int64_t c) {
  hn::Vec<D> sum[kPixels];
  const auto first = tile.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, tile.bias + c);
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) sum[i] = first;
  const int64_t x_step = tile.x_step;
  for (const DepthwiseTap *tap = tile.taps, *end = tap + tile.tap_count; tap < end; ++tap) {
    const auto w = hn::LoadU(d, tap->w + c);
    const T* from = x + tap->x + c;
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) sum[i] = hn::MulAdd(load(d, from + i * x_step), w, sum[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
    // Not Max: a NaN must stay.
    const auto positive = hn::IfThenZeroElse(hn::Lt(sum[i], hn::Zero(d)), sum[i]);
    store<false>(tile.relu ? positive : sum[i], d, y + i * tile.y_step + c);
  }
}

template <typename T>
HWY_INLINE void run_tile(T* y, const T* x, const DepthwiseTile& tile) {
  int64_t i = 0;
  for (; i + kDepthwisePixels <= tile.pixels; i += kDepthwisePixels) {
    T* to = y + i * tile.y_step;
    const T* from = x + i * tile.x_step;
    for_lanes(tile.channels, [&](auto d, int64_t c)
                                 HWY_ATTR { sum_pixels<kDepthwisePixels>(d, to, from, tile, c); });
  }
  for (; i < tile.pixels; ++i) {
    T* to = y + i * tile.y_step;
    const T* from = x + i * tile.x_step;
    for_lanes(tile.channels,
              [&](auto d, int64_t c) HWY_ATTR { sum_pixels<1>(d, to, from, tile, c); });
  }
}

void depthwise_f32(float* y, const float* x, const DepthwiseTile& tile) { run_tile(y, x, tile); }
void depthwise_bf16(Bf16* y, const Bf16* x, const DepthwiseTile& tile) { run_tile(y, x, tile); }

// kTaps taps of one vector of channels: their sums stay in registers while the pixels pass by.
template <int kTaps, class D, typename T>
HWY_INLINE void sum_taps(D d, float* const* sums, const T* dy, const T* x, const DepthwiseSums& s,
                         int64_t first, int64_t c) {
  hn::Vec<D> sum[kTaps];
  const T* from[kTaps];
#pragma GCC unroll 9
  for (int t = 0; t < kTaps; ++t) {
    sum[t] = hn::LoadU(d, sums[first + t] + c);
    from[t] = x + s.taps[first + t] + c;
  }
  const T* gradient = dy + c;
  for (int64_t i = 0, at = 0; i < s.pixels; ++i, gradient += s.channels, at += s.x_step) {
    const auto g = load(d, gradient);
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) sum[t] = hn::MulAdd(g, load(d, from[t] + at), sum[t]);
  }
#pragma GCC unroll 9
  for (int t = 0; t < kTaps; ++t) hn::StoreU(sum[t], d, sums[first + t] + c);
}

template <typename T>
HWY_INLINE void run_sums(float* const* sums, const T* dy, const T* x, const DepthwiseSums& s) {
  for_lanes(s.channels, [&](auto d, int64_t c) HWY_ATTR {
    int64_t t = 0;
    for (; t + 9 <= s.tap_count; t += 9) sum_taps<9>(d, sums, dy, x, s, t, c);
    for (; t + 5 <= s.tap_count; t += 5) sum_taps<5>(d, sums, dy, x, s, t, c);
    for (; t + 3 <= s.tap_count; t += 3) sum_taps<3>(d, sums, dy, x, s, t, c);
    for (; t < s.tap_count; ++t) sum_taps<1>(d, sums, dy, x, s, t, c);
  });
}

void sums_f32(float* const* sums, const float* dy, const float* x, const DepthwiseSums& s) {
  run_sums(sums, dy, x, s);
}
void sums_bf16(float* const* sums, const Bf16* dy, const Bf16* x, const DepthwiseSums& s) {
  run_sums(sums, dy, x, s);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(depthwise_f32);
HWY_EXPORT(depthwise_bf16);
HWY_EXPORT(sums_f32);
HWY_EXPORT(sums_bf16);

void depthwise(float* y, const float* x, const DepthwiseTile& tile) {
  HWY_DYNAMIC_DISPATCH(depthwise_f32)(y, x, tile);
}
void depthwise(Bf16* y, const Bf16* x, const DepthwiseTile& tile) {
  HWY_DYNAMIC_DISPATCH(depthwise_bf16)(y, x, tile);
}
void depthwise_sums(float* const* sums, const float* dy, const float* x, const DepthwiseSums& s) {
  HWY_DYNAMIC_DISPATCH(sums_f32)(sums, dy, x, s);
}
void depthwise_sums(float* const* sums, const Bf16* dy, const Bf16* x, const DepthwiseSums& s) {
  HWY_DYNAMIC_DISPATCH(sums_bf16)(sums, dy, x, s);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
