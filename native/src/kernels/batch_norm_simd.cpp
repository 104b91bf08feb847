#include "kernels/batch_norm_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Rows that are summed in f32 before they join the f64 sums.
constexpr int kTileRows = 128;

// Vectors in a row whose sums or parameters stay in registers, where there are 32 of them: rows of
// 64 channels, and those of fewer, which are folded to 64.
constexpr int kWidth = 4;
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3;

bool is_narrow(const BatchNormBlock& block) {
  return kManyRegisters && block.channels == kWidth * static_cast<int64_t>(hn::Lanes(Floats()));
}

// Sums of one tile in f32, per channel: of `first`, and of `first * second`.
struct TileSums {
  alignas(64) float first[kBatchNormChannels];
  alignas(64) float product[kBatchNormChannels];
};

// Adds rows [begin, end) of narrow rows, whose sums stay in registers. pair(d, i, center, first,
// second) loads the two factors at element i.
template <typename Pair>
HWY_INLINE void add_narrow(TileSums& sums, const float* center, int64_t begin, int64_t end,
                           const BatchNormBlock& block, Pair pair) {
  const Floats d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  FloatVector at[kWidth], first[2][kWidth], product[2][kWidth];
#pragma GCC unroll 4
  for (int k = 0; k < kWidth; ++k) {
    at[k] = hn::Load(d, center + k * n);
    first[0][k] = first[1][k] = product[0][k] = product[1][k] = hn::Zero(d);
  }
  const auto add = [&](int64_t row, int odd) HWY_ATTR {
#pragma GCC unroll 4
    for (int k = 0; k < kWidth; ++k) {
      FloatVector a, b;
      pair(d, row * block.stride + k * n, at[k], a, b);
      first[odd][k] = hn::Add(first[odd][k], a);
      product[odd][k] = hn::MulAdd(a, b, product[odd][k]);
    }
  };
  int64_t row = begin;
  for (; row + 2 <= end; row += 2) {
    add(row, 0);
    add(row + 1, 1);
  }
  if (row < end) add(row, 0);
#pragma GCC unroll 4
  for (int k = 0; k < kWidth; ++k) {
    hn::Store(hn::Add(first[0][k], first[1][k]), d, sums.first + k * n);
    hn::Store(hn::Add(product[0][k], product[1][k]), d, sums.product + k * n);
  }
}

// The same for rows of any length, read in the order of memory: anything else defeats the
// processor's prefetching.
template <typename Pair>
HWY_INLINE void add_wide(TileSums& sums, const float* center, int64_t begin, int64_t end,
                         const BatchNormBlock& block, Pair pair) {
  std::fill_n(sums.first, block.channels, 0.0f);
  std::fill_n(sums.product, block.channels, 0.0f);
  for (int64_t row = begin; row < end; ++row) {
    for_lanes(block.channels, [&, from = row * block.stride](auto d, int64_t c) HWY_ATTR {
      hn::Vec<decltype(d)> a, b;
      pair(d, from + c, hn::Load(d, center + c), a, b);
      hn::Store(hn::Add(hn::Load(d, sums.first + c), a), d, sums.first + c);
      hn::Store(hn::MulAdd(a, b, hn::Load(d, sums.product + c)), d, sums.product + c);
    });
  }
}

template <typename Pair>
HWY_INLINE void sum_tile(TileSums& sums, const float* center, int64_t begin, int64_t end,
                         const BatchNormBlock& block, Pair pair) {
  if (is_narrow(block)) {
    add_narrow(sums, center, begin, end, block, pair);
  } else {
    add_wide(sums, center, begin, end, block, pair);
  }
}

// (count, mean, m2) takes in set b, which is a share of both together.
HWY_INLINE void merge_one(double count, double& mean, double& m2, double mean_b, double m2_b,
                          double share) {
  const double delta = mean_b - mean;
  mean += delta * share;
  m2 += m2_b + delta * delta * (count * share);
}

void merge(double count, double* mean, double* m2, double count_b, const double* mean_b,
           const double* m2_b, int64_t channels) {
  const double share = count_b / (count + count_b);
  for (int64_t c = 0; c < channels; ++c) {
    merge_one(count, mean[c], m2[c], mean_b[c], m2_b[c], share);
  }
}

// A value near the first ones: the mean of eight rows, or the first row if there are fewer. Equal
// rows give exactly their value.
template <typename T>
HWY_INLINE void find_shift(float* shift, const T* x, int64_t rows, const BatchNormBlock& block) {
  if (rows < 8) {
    for_lanes(block.channels,
              [=](auto d, int64_t c) HWY_ATTR { hn::Store(load(d, x + c), d, shift + c); });
    return;
  }
  for_lanes(block.channels, [=, stride = block.stride](auto d, int64_t c) HWY_ATTR {
    const auto pair = [=](int64_t row) HWY_ATTR {
      const T* p = x + row * stride + c;
      return hn::Add(load(d, p), load(d, p + stride));
    };
    const auto sum = hn::Add(hn::Add(pair(0), pair(2)), hn::Add(pair(4), pair(6)));
    hn::Store(hn::Mul(sum, hn::Set(d, 0.125f)), d, shift + c);
  });
}

// Values are taken relative to a shift, then M2 = sum d^2 - (sum d)^2 / n loses few digits however
// large the mean is. The first tile's shift is found in its first rows: at worst, when all eight
// lie far from all others, sum d^2 is n / 8 times M2. The others' is the mean of all tiles before;
// where theirs is far from it, what they lose is little against their distance, which counts in M2.
template <typename T>
void moments(double* mean, double* m2, const T* x, const BatchNormBlock& block) {
  TileSums sums;
  alignas(64) float shift[kBatchNormChannels];
  std::fill_n(mean, block.channels, 0.0);
  std::fill_n(m2, block.channels, 0.0);
  find_shift(shift, x, block.rows, block);
  for (int64_t begin = 0; begin < block.rows; begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, block.rows);
    sum_tile(sums, shift, begin, end, block,
             [x](auto d, int64_t i, auto center, auto& a, auto& b)
                 HWY_ATTR { a = b = hn::Sub(load(d, x + i), center); });
    const auto before = static_cast<double>(begin), n = static_cast<double>(end - begin);
    const double inverse = 1 / n, share = n / static_cast<double>(end);
    for (int64_t c = 0; c < block.channels; ++c) {
      const double sum = sums.first[c];
      const double tile_m2 = std::max(sums.product[c] - sum * sum * inverse, 0.0);
      merge_one(before, mean[c], m2[c], shift[c] + sum * inverse, tile_m2, share);
      shift[c] = static_cast<float>(mean[c]);
    }
  }
}

// Calls body(d, i, p) for every vector of the block, p its channels' kParameters parameters. Those
// of narrow rows stay in registers.
template <int kParameters, typename Body>
HWY_INLINE void for_block(const float* const (&parameters)[kParameters],
                          const BatchNormBlock& block, Body body) {
  const Floats d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  if (is_narrow(block)) {
    FloatVector p[kWidth][kParameters];
#pragma GCC unroll 4
    for (int k = 0; k < kWidth; ++k) {
#pragma GCC unroll 4
      for (int j = 0; j < kParameters; ++j) p[k][j] = hn::LoadU(d, parameters[j] + k * n);
    }
    for (int64_t row = 0; row < block.rows; ++row) {
#pragma GCC unroll 4
      for (int k = 0; k < kWidth; ++k) body(d, row * block.stride + k * n, p[k]);
    }
    return;
  }
  for (int64_t row = 0; row < block.rows; ++row) {
    for_lanes(block.channels, [&, begin = row * block.stride](auto tag, int64_t c) HWY_ATTR {
      hn::Vec<decltype(tag)> p[kParameters];
#pragma GCC unroll 4
      for (int j = 0; j < kParameters; ++j) p[j] = hn::LoadU(tag, parameters[j] + c);
      body(tag, begin + c, p);
    });
  }
}

template <bool kResidual, bool kRelu, bool kStream, typename T>
void apply_block(T* y, const T* x, const T* residual, const BatchNormAffine& p,
                 const BatchNormBlock& block) {
  for_block<3>({p.center, p.scale, p.shift}, block,
               [=](auto d, int64_t i, const auto& by) HWY_ATTR {
                 auto v = hn::MulAdd(hn::Sub(load(d, x + i), by[0]), by[1], by[2]);
                 if constexpr (kResidual) v = hn::Add(v, load(d, residual + i));
                 if constexpr (kRelu) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v);
                 store<kStream>(v, d, y + i);
               });
  if constexpr (kStream) hwy::FlushStream();
}

template <bool kStream, typename T>
void apply(T* y, const T* x, const T* residual, const BatchNormAffine& p, bool relu,
           const BatchNormBlock& block) {
  if (residual != nullptr) {
    (relu ? apply_block<true, true, kStream, T>
          : apply_block<true, false, kStream, T>)(y, x, residual, p, block);
  } else {
    (relu ? apply_block<false, true, kStream, T>
          : apply_block<false, false, kStream, T>)(y, x, residual, p, block);
  }
}

// The gradient behind the activation.
template <bool kGate, typename D, typename T>
HWY_INLINE hn::Vec<D> gated(D d, const T* dy, const T* y, int64_t i) {
  const auto g = load(d, dy + i);
  if constexpr (kGate) {
    return hn::IfThenElseZero(hn::Gt(load(d, y + i), hn::Zero(d)), g);
  } else {
    return g;
  }
}

template <bool kGate, typename T>
void gradient_sums_block(double* sum, double* product, const T* dy, const T* x, const T* y,
                         const float* center, const BatchNormBlock& block) {
  TileSums sums;
  std::fill_n(sum, block.channels, 0.0);
  std::fill_n(product, block.channels, 0.0);
  for (int64_t begin = 0; begin < block.rows; begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, block.rows);
    sum_tile(sums, center, begin, end, block,
             [=](auto d, int64_t i, auto mean, auto& a, auto& b) HWY_ATTR {
               a = gated<kGate>(d, dy, y, i);
               b = hn::Sub(load(d, x + i), mean);
             });
    for (int64_t c = 0; c < block.channels; ++c) {
      sum[c] += sums.first[c];
      product[c] += sums.product[c];
    }
  }
}

template <typename T>
void gradient_sums(double* sum, double* product, const T* dy, const T* x, const T* y,
                   const float* center, const BatchNormBlock& block) {
  (y != nullptr ? gradient_sums_block<true, T> : gradient_sums_block<false, T>)(sum, product, dy, x,
                                                                                y, center, block);
}

template <bool kGate, bool kResidual, bool kStream, typename T>
void gradient_block(T* dx, T* dresidual, const T* dy, const T* x, const T* y,
                    const BatchNormGradient& p, const BatchNormBlock& block) {
  for_block<4>({p.center, p.by_g, p.by_x, p.shift}, block,
               [=](auto d, int64_t i, const auto& by) HWY_ATTR {
                 const auto g = gated<kGate>(d, dy, y, i);
                 const auto by_x = hn::MulAdd(by[2], hn::Sub(load(d, x + i), by[0]), by[3]);
                 if constexpr (kResidual) store<false>(g, d, dresidual + i);
                 store<kStream>(hn::MulAdd(by[1], g, by_x), d, dx + i);
               });
  if constexpr (kStream) hwy::FlushStream();
}

template <bool kStream, typename T>
void gradient(T* dx, T* dresidual, const T* dy, const T* x, const T* y, const BatchNormGradient& p,
              const BatchNormBlock& block) {
  if (dresidual != nullptr) {
    (y != nullptr ? gradient_block<true, true, kStream, T>
                  : gradient_block<false, true, kStream, T>)(dx, dresidual, dy, x, y, p, block);
  } else {
    (y != nullptr ? gradient_block<true, false, kStream, T>
                  : gradient_block<false, false, kStream, T>)(dx, dresidual, dy, x, y, p, block);
  }
}

// One name for each element type, as dispatch wants it.
void moments_f32(double* mean, double* m2, const float* x, const BatchNormBlock& block) {
  moments(mean, m2, x, block);
}
void apply_f32(float* y, const float* x, const float* residual, const BatchNormAffine& p, bool relu,
               bool stream, const BatchNormBlock& block) {
  (stream ? apply<true, float> : apply<false, float>)(y, x, residual, p, relu, block);
}
void gradient_sums_f32(double* sum, double* product, const float* dy, const float* x,
                       const float* y, const float* center, const BatchNormBlock& block) {
  gradient_sums(sum, product, dy, x, y, center, block);
}
void gradient_f32(float* dx, float* dresidual, const float* dy, const float* x, const float* y,
                  const BatchNormGradient& p, bool stream, const BatchNormBlock& block) {
  (stream ? gradient<true, float> : gradient<false, float>)(dx, dresidual, dy, x, y, p, block);
}
void moments_bf16(double* mean, double* m2, const Bf16* x, const BatchNormBlock& block) {
  moments(mean, m2, x, block);
}
void apply_bf16(Bf16* y, const Bf16* x, const Bf16* residual, const BatchNormAffine& p, bool relu,
                bool, const BatchNormBlock& block) {
  apply<false>(y, x, residual, p, relu, block);
}
void gradient_sums_bf16(double* sum, double* product, const Bf16* dy, const Bf16* x, const Bf16* y,
                        const float* center, const BatchNormBlock& block) {
  gradient_sums(sum, product, dy, x, y, center, block);
}
void gradient_bf16(Bf16* dx, Bf16* dresidual, const Bf16* dy, const Bf16* x, const Bf16* y,
                   const BatchNormGradient& p, bool, const BatchNormBlock& block) {
  gradient<false>(dx, dresidual, dy, x, y, p, block);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(moments_f32);
HWY_EXPORT(moments_bf16);
HWY_EXPORT(merge);
HWY_EXPORT(apply_f32);
HWY_EXPORT(apply_bf16);
HWY_EXPORT(gradient_sums_f32);
HWY_EXPORT(gradient_sums_bf16);
HWY_EXPORT(gradient_f32);
HWY_EXPORT(gradient_bf16);

void batch_norm_merge(double count, double* mean, double* m2, double count_b, const double* mean_b,
                      const double* m2_b, int64_t channels) {
  HWY_DYNAMIC_DISPATCH(merge)(count, mean, m2, count_b, mean_b, m2_b, channels);
}

void batch_norm_moments(double* mean, double* m2, const float* x, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(moments_f32)(mean, m2, x, block);
}

void batch_norm_apply(float* y, const float* x, const float* residual,
                      const BatchNormAffine& parameters, bool relu, bool stream,
                      const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(apply_f32)(y, x, residual, parameters, relu, stream, block);
}

void batch_norm_gradient_sums(double* sum, double* product, const float* dy, const float* x,
                              const float* y, const float* center, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient_sums_f32)(sum, product, dy, x, y, center, block);
}

void batch_norm_gradient(float* dx, float* dresidual, const float* dy, const float* x,
                         const float* y, const BatchNormGradient& parameters, bool stream,
                         const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient_f32)(dx, dresidual, dy, x, y, parameters, stream, block);
}

void batch_norm_moments(double* mean, double* m2, const Bf16* x, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(moments_bf16)(mean, m2, x, block);
}

void batch_norm_apply(Bf16* y, const Bf16* x, const Bf16* residual,
                      const BatchNormAffine& parameters, bool relu, bool stream,
                      const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(apply_bf16)(y, x, residual, parameters, relu, stream, block);
}

void batch_norm_gradient_sums(double* sum, double* product, const Bf16* dy, const Bf16* x,
                              const Bf16* y, const float* center, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient_sums_bf16)(sum, product, dy, x, y, center, block);
}

void batch_norm_gradient(Bf16* dx, Bf16* dresidual, const Bf16* dy, const Bf16* x, const Bf16* y,
                         const BatchNormGradient& parameters, bool stream,
                         const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient_bf16)(dx, dresidual, dy, x, y, parameters, stream, block);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
