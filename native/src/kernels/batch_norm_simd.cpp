#include "kernels/batch_norm_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Rows that are summed in f32 before they join the f64 sums.
constexpr int64_t kTileRows = 256;

// Sums of one tile in f32, per channel: of `first`, and of `first * second`.
struct TileSums {
  alignas(64) float first[kBatchNormChannels];
  alignas(64) float product[kBatchNormChannels];
};

// Adds kRows rows. pair(tag, row, channel, first, second) loads the two factors. Even and odd rows
// have sums of their own, which shortens the chains of dependent additions.
template <int kRows, typename Pair>
HWY_INLINE void add_rows(TileSums& sums, int64_t row, int64_t channels, Pair pair) {
  for_lanes(channels, [&sums, row, pair](auto d, int64_t c) HWY_ATTR {
    auto first = hn::Load(d, sums.first + c), first_odd = hn::Zero(d);
    auto product = hn::Load(d, sums.product + c), product_odd = hn::Zero(d);
#pragma GCC unroll 8
    for (int j = 0; j < kRows; ++j) {
      hn::Vec<decltype(d)> a, b;
      pair(d, row + j, c, a, b);
      auto& sum = j % 2 == 0 ? first : first_odd;
      auto& sum_product = j % 2 == 0 ? product : product_odd;
      sum = hn::Add(sum, a);
      sum_product = hn::MulAdd(a, b, sum_product);
    }
    hn::Store(hn::Add(first, first_odd), d, sums.first + c);
    hn::Store(hn::Add(product, product_odd), d, sums.product + c);
  });
}

template <typename Pair>
HWY_INLINE void sum_tile(TileSums& sums, int64_t begin, int64_t end, int64_t channels, Pair pair) {
  std::fill_n(sums.first, channels, 0.0f);
  std::fill_n(sums.product, channels, 0.0f);
  int64_t row = begin;
  for (; row + 8 <= end; row += 8) add_rows<8>(sums, row, channels, pair);
  for (; row < end; ++row) add_rows<1>(sums, row, channels, pair);
}

void merge(double count, double* HWY_RESTRICT mean, double* HWY_RESTRICT m2, double count_b,
           const double* HWY_RESTRICT mean_b, const double* HWY_RESTRICT m2_b, int64_t channels) {
  const double share = count_b / (count + count_b);
  for (int64_t c = 0; c < channels; ++c) {
    const double delta = mean_b[c] - mean[c];
    mean[c] += delta * share;
    m2[c] += m2_b[c] + delta * delta * (count * share);
  }
}

// A value near the tile's: the mean of its first eight rows, or its first row if it has fewer.
// Equal rows give exactly their value.
HWY_INLINE void find_shift(float* shift, const float* x, int64_t rows, int64_t channels,
                           int64_t stride) {
  if (rows < 8) {
    std::copy_n(x, channels, shift);
    return;
  }
  for_lanes(channels, [=](auto d, int64_t c) HWY_ATTR {
    const auto pair = [=](int64_t row) HWY_ATTR {
      const float* p = x + row * stride + c;
      return hn::Add(hn::LoadU(d, p), hn::LoadU(d, p + stride));
    };
    const auto sum = hn::Add(hn::Add(pair(0), pair(2)), hn::Add(pair(4), pair(6)));
    hn::Store(hn::Mul(sum, hn::Set(d, 0.125f)), d, shift + c);
  });
}

// Values are taken relative to the tile's shift: M2 = sum d^2 - (sum d)^2 / n then loses few digits
// however large the mean is. At worst, when all eight rows of the shift lie far from all others,
// sum d^2 is n / 8 times M2.
void moments(double* mean, double* m2, const float* x, const BatchNormBlock& block) {
  TileSums sums;
  alignas(64) float shift[kBatchNormChannels];
  double tile_mean[kBatchNormChannels], tile_m2[kBatchNormChannels];
  std::fill_n(mean, block.channels, 0.0);
  std::fill_n(m2, block.channels, 0.0);
  for (int64_t begin = 0; begin < block.rows; begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, block.rows);
    find_shift(shift, x + begin * block.stride, end - begin, block.channels, block.stride);
    sum_tile(sums, begin, end, block.channels,
             [x, shift = &shift[0], stride = block.stride](auto d, int64_t row, int64_t c, auto& a,
                                                           auto& b) HWY_ATTR {
               a = b = hn::Sub(hn::LoadU(d, x + row * stride + c), hn::Load(d, shift + c));
             });
    const auto n = static_cast<double>(end - begin);
    const double inverse = 1 / n;
    for (int64_t c = 0; c < block.channels; ++c) {
      const double sum = sums.first[c];
      tile_mean[c] = shift[c] + sum * inverse;
      tile_m2[c] = std::max(sums.product[c] - sum * sum * inverse, 0.0);
    }
    merge(static_cast<double>(begin), mean, m2, n, tile_mean, tile_m2, block.channels);
  }
}

template <bool kResidual, bool kRelu, int kRows>
HWY_INLINE void apply_rows(float* y, const float* x, const float* residual,
                           const BatchNormAffine& p, int64_t begin, const BatchNormBlock& block) {
  for_lanes(block.channels, [=, stride = block.stride](auto d, int64_t c) HWY_ATTR {
    const auto center = hn::LoadU(d, p.center + c);
    const auto scale = hn::LoadU(d, p.scale + c);
    const auto shift = hn::LoadU(d, p.shift + c);
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      const int64_t i = (begin + j) * stride + c;
      auto v = hn::MulAdd(hn::Sub(hn::LoadU(d, x + i), center), scale, shift);
      if constexpr (kResidual) v = hn::Add(v, hn::LoadU(d, residual + i));
      if constexpr (kRelu) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v);
      hn::StoreU(v, d, y + i);
    }
  });
}

template <bool kResidual, bool kRelu>
void apply_block(float* y, const float* x, const float* residual, const BatchNormAffine& p,
                 const BatchNormBlock& block) {
  int64_t r = 0;
  for (; r + 4 <= block.rows; r += 4) {
    apply_rows<kResidual, kRelu, 4>(y, x, residual, p, r, block);
  }
  for (; r < block.rows; ++r) apply_rows<kResidual, kRelu, 1>(y, x, residual, p, r, block);
}

void apply(float* y, const float* x, const float* residual, const BatchNormAffine& p, bool relu,
           const BatchNormBlock& block) {
  if (residual != nullptr) {
    (relu ? apply_block<true, true> : apply_block<true, false>)(y, x, residual, p, block);
  } else {
    (relu ? apply_block<false, true> : apply_block<false, false>)(y, x, residual, p, block);
  }
}

// The gradient behind the activation.
template <bool kGate, typename D>
HWY_INLINE hn::Vec<D> gated(D d, const float* dy, const float* y, int64_t i) {
  const auto g = hn::LoadU(d, dy + i);
  if constexpr (kGate) {
    return hn::IfThenElseZero(hn::Gt(hn::LoadU(d, y + i), hn::Zero(d)), g);
  } else {
    return g;
  }
}

template <bool kGate>
void gradient_sums_block(double* sum, double* product, const float* dy, const float* x,
                         const float* y, const float* center, const BatchNormBlock& block) {
  TileSums sums;
  std::fill_n(sum, block.channels, 0.0);
  std::fill_n(product, block.channels, 0.0);
  for (int64_t begin = 0; begin < block.rows; begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, block.rows);
    sum_tile(sums, begin, end, block.channels,
             [=, stride = block.stride](auto d, int64_t row, int64_t c, auto& a, auto& b) HWY_ATTR {
               const int64_t i = row * stride + c;
               a = gated<kGate>(d, dy, y, i);
               b = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, center + c));
             });
    for (int64_t c = 0; c < block.channels; ++c) {
      sum[c] += sums.first[c];
      product[c] += sums.product[c];
    }
  }
}

void gradient_sums(double* sum, double* product, const float* dy, const float* x, const float* y,
                   const float* center, const BatchNormBlock& block) {
  (y != nullptr ? gradient_sums_block<true> : gradient_sums_block<false>)(sum, product, dy, x, y,
                                                                          center, block);
}

template <bool kGate, bool kResidual, int kRows>
HWY_INLINE void gradient_rows(float* dx, float* dresidual, const float* dy, const float* x,
                              const float* y, const BatchNormGradient& p, int64_t begin,
                              const BatchNormBlock& block) {
  for_lanes(block.channels, [=, stride = block.stride](auto d, int64_t c) HWY_ATTR {
    const auto center = hn::LoadU(d, p.center + c);
    const auto by_g = hn::LoadU(d, p.by_g + c);
    const auto by_x = hn::LoadU(d, p.by_x + c);
    const auto shift = hn::LoadU(d, p.shift + c);
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      const int64_t i = (begin + j) * stride + c;
      const auto g = gated<kGate>(d, dy, y, i);
      const auto centered = hn::Sub(hn::LoadU(d, x + i), center);
      const auto v = hn::MulAdd(by_g, g, hn::MulAdd(by_x, centered, shift));
      if constexpr (kResidual) hn::StoreU(g, d, dresidual + i);
      hn::StoreU(v, d, dx + i);
    }
  });
}

template <bool kGate, bool kResidual>
void gradient_block(float* dx, float* dresidual, const float* dy, const float* x, const float* y,
                    const BatchNormGradient& p, const BatchNormBlock& block) {
  int64_t r = 0;
  for (; r + 4 <= block.rows; r += 4) {
    gradient_rows<kGate, kResidual, 4>(dx, dresidual, dy, x, y, p, r, block);
  }
  for (; r < block.rows; ++r) {
    gradient_rows<kGate, kResidual, 1>(dx, dresidual, dy, x, y, p, r, block);
  }
}

void gradient(float* dx, float* dresidual, const float* dy, const float* x, const float* y,
              const BatchNormGradient& p, const BatchNormBlock& block) {
  if (dresidual != nullptr) {
    (y != nullptr ? gradient_block<true, true> : gradient_block<false, true>)(dx, dresidual, dy, x,
                                                                              y, p, block);
  } else {
    (y != nullptr ? gradient_block<true, false> : gradient_block<false, false>)(dx, dresidual, dy,
                                                                                x, y, p, block);
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(moments);
HWY_EXPORT(merge);
HWY_EXPORT(apply);
HWY_EXPORT(gradient_sums);
HWY_EXPORT(gradient);

void batch_norm_moments(double* mean, double* m2, const float* x, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(moments)(mean, m2, x, block);
}

void batch_norm_merge(double count, double* mean, double* m2, double count_b, const double* mean_b,
                      const double* m2_b, int64_t channels) {
  HWY_DYNAMIC_DISPATCH(merge)(count, mean, m2, count_b, mean_b, m2_b, channels);
}

void batch_norm_apply(float* y, const float* x, const float* residual,
                      const BatchNormAffine& parameters, bool relu, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(apply)(y, x, residual, parameters, relu, block);
}

void batch_norm_gradient_sums(double* sum, double* product, const float* dy, const float* x,
                              const float* y, const float* center, const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient_sums)(sum, product, dy, x, y, center, block);
}

void batch_norm_gradient(float* dx, float* dresidual, const float* dy, const float* x,
                         const float* y, const BatchNormGradient& parameters,
                         const BatchNormBlock& block) {
  HWY_DYNAMIC_DISPATCH(gradient)(dx, dresidual, dy, x, y, parameters, block);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
