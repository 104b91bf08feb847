#include "kernels/batch_norm_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Rows that are summed in f32 before they join the f64 sums.
constexpr int64_t kTileRows = 256;

// Rows that are added in registers before they join a tile's sums, which are in memory.
constexpr int kRowsAtOnce = 4;

// Sums of one tile in f32, per channel: of `first`, and of `first * second`.
struct TileSums {
  alignas(64) float first[kBatchNormChannels];
  alignas(64) float product[kBatchNormChannels];
};

// Adds kRows rows from `row` on. pair(tag, i, ahead, channel, first, second) loads the two factors
// at element i and prefetches element `ahead`. Even and odd rows have sums of their own, which
// shortens the chains of dependent additions.
template <int kRows, typename Pair>
HWY_INLINE void add_rows(TileSums& sums, int64_t row, const BatchNormBlock& block, Pair pair) {
  // The processor's own prefetching fails where rows of one page are read in turns. There the next
  // rows are fetched in the order of memory; elsewhere `ahead` is i.
  const bool share_pages = block.channels == block.stride && block.stride < 1024;
  const int64_t next = (share_pages ? row + kRows : row) * block.stride;
  const int64_t channel_step = share_pages ? kRows : 1;
  const auto row_step = share_pages ? static_cast<int64_t>(hn::Lanes(Floats())) : block.stride;
  for_lanes(block.channels, [=, &sums, &block](auto d, int64_t c) HWY_ATTR {
    auto first = hn::Load(d, sums.first + c), first_odd = hn::Zero(d);
    auto product = hn::Load(d, sums.product + c), product_odd = hn::Zero(d);
#pragma GCC unroll 4
    for (int j = 0; j < kRows; ++j) {
      hn::Vec<decltype(d)> a, b;
      pair(d, (row + j) * block.stride + c, next + c * channel_step + j * row_step, c, a, b);
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
HWY_INLINE void sum_tile(TileSums& sums, int64_t begin, int64_t end, const BatchNormBlock& block,
                         Pair pair) {
  std::fill_n(sums.first, block.channels, 0.0f);
  std::fill_n(sums.product, block.channels, 0.0f);
  int64_t row = begin;
  for (; row + kRowsAtOnce <= end; row += kRowsAtOnce) {
    add_rows<kRowsAtOnce>(sums, row, block, pair);
  }
  for (; row < end; ++row) add_rows<1>(sums, row, block, pair);
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

// A value near the tile's: the mean of its first eight rows, or its first row if it has fewer.
// Equal rows give exactly their value.
HWY_INLINE void find_shift(float* shift, const float* x, int64_t rows,
                           const BatchNormBlock& block) {
  if (rows < 8) {
    std::copy_n(x, block.channels, shift);
    return;
  }
  for_lanes(block.channels, [=, stride = block.stride](auto d, int64_t c) HWY_ATTR {
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
  std::fill_n(mean, block.channels, 0.0);
  std::fill_n(m2, block.channels, 0.0);
  for (int64_t begin = 0; begin < block.rows; begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, block.rows);
    find_shift(shift, x + begin * block.stride, end - begin, block);
    sum_tile(sums, begin, end, block,
             [x, shift = &shift[0]](auto d, int64_t i, int64_t ahead, int64_t c, auto& a, auto& b)
                 HWY_ATTR {
                   hwy::Prefetch(x + ahead);
                   a = b = hn::Sub(hn::LoadU(d, x + i), hn::Load(d, shift + c));
                 });
    const auto before = static_cast<double>(begin), n = static_cast<double>(end - begin);
    const double inverse = 1 / n, share = n / static_cast<double>(end);
    for (int64_t c = 0; c < block.channels; ++c) {
      const double sum = sums.first[c];
      const double tile_m2 = std::max(sums.product[c] - sum * sum * inverse, 0.0);
      merge_one(before, mean[c], m2[c], shift[c] + sum * inverse, tile_m2, share);
    }
  }
}

template <bool kResidual, bool kRelu>
void apply_block(float* y, const float* x, const float* residual, const BatchNormAffine& p,
                 const BatchNormBlock& block) {
  for (int64_t row = 0; row < block.rows; ++row) {
    for_lanes(block.channels, [=, begin = row * block.stride](auto d, int64_t c) HWY_ATTR {
      const int64_t i = begin + c;
      const auto centered = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, p.center + c));
      auto v = hn::MulAdd(centered, hn::LoadU(d, p.scale + c), hn::LoadU(d, p.shift + c));
      if constexpr (kResidual) v = hn::Add(v, hn::LoadU(d, residual + i));
      if constexpr (kRelu) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v);
      hn::StoreU(v, d, y + i);
    });
  }
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
    sum_tile(sums, begin, end, block,
             [=](auto d, int64_t i, int64_t ahead, int64_t c, auto& a, auto& b) HWY_ATTR {
               hwy::Prefetch(dy + ahead);
               hwy::Prefetch(x + ahead);
               if constexpr (kGate) hwy::Prefetch(y + ahead);
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

template <bool kGate, bool kResidual>
void gradient_block(float* dx, float* dresidual, const float* dy, const float* x, const float* y,
                    const BatchNormGradient& p, const BatchNormBlock& block) {
  for (int64_t row = 0; row < block.rows; ++row) {
    for_lanes(block.channels, [=, begin = row * block.stride](auto d, int64_t c) HWY_ATTR {
      const int64_t i = begin + c;
      const auto g = gated<kGate>(d, dy, y, i);
      const auto centered = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, p.center + c));
      const auto by_x = hn::MulAdd(hn::LoadU(d, p.by_x + c), centered, hn::LoadU(d, p.shift + c));
      const auto v = hn::MulAdd(hn::LoadU(d, p.by_g + c), g, by_x);
      if constexpr (kResidual) hn::StoreU(g, d, dresidual + i);
      hn::StoreU(v, d, dx + i);
    });
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
