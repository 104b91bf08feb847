#include "kernels/loss_simd.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/loss_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After highway.h.
#include "hwy/contrib/math/math-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// The greatest of n values. NaN may be passed over.
float greatest(const float* x, int64_t n) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto lowest = hn::Set(d, kLowest);
  auto max = lowest;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) max = hn::Max(max, hn::LoadU(d, x + i));
  if (i < n) max = hn::Max(max, load_first(d, x + i, n - i, lowest));
  return hn::GetLane(hn::MaxOfLanes(d, max));
}

// hn::Exp makes 0 of NaN.
HWY_INLINE FloatVector exp_or_nan(FloatVector x) {
  const Floats d;
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

// sum exp(x - shift) over n values; the terms go to y, unless kKeep is false.
template <bool kKeep>
HWY_INLINE float sum_exp_block(float* y, const float* x, int64_t n, float shift) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto shifts = hn::Set(d, shift);
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto e = exp_or_nan(hn::Sub(hn::LoadU(d, x + i), shifts));
    if constexpr (kKeep) hn::StoreU(e, d, y + i);
    sum = hn::Add(sum, e);
  }
  if (i < n) {
    // Lanes outside give exp(-inf) = 0, or NaN where the whole row is NaN already.
    const auto v = load_first(d, x + i, n - i, hn::Set(d, kLowest));
    const auto e = exp_or_nan(hn::Sub(v, shifts));
    if constexpr (kKeep) store_first(d, e, y + i, n - i);
    sum = hn::Add(sum, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// The same for rows of any length: blocks are summed in f64.
template <bool kKeep>
double sum_exp(float* y, const float* x, int64_t n, float shift) {
  constexpr int64_t kBlock = 1024;
  double sum = 0;
  for (int64_t i = 0; i < n; i += kBlock) {
    sum += sum_exp_block<kKeep>(kKeep ? y + i : nullptr, x + i, std::min(kBlock, n - i), shift);
  }
  return sum;
}

void scale_row(float* y, int64_t n, float scale) {
  for_lanes(n, [=](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Set(d, scale)), d, y + i);
  });
}

bool holds(const float* x, int64_t n, float value) {
  bool found = false;
  for_lanes(n, [=, &found](auto d, int64_t i) HWY_ATTR {
    found |= !hn::AllFalse(d, hn::Eq(hn::LoadU(d, x + i), hn::Set(d, value)));
  });
  return found;
}

void softmax(float* y, const float* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const double sum = sum_exp<true>(y, x, columns, greatest(x, columns));
    scale_row(y, columns, static_cast<float>(1 / sum));
  }
}

template <bool kGradient>
naive::CrossEntropy cross_entropy_rows(float* dlogits, const float* logits, const int32_t* labels,
                                       int64_t rows, int64_t columns, float scale) {
  naive::CrossEntropy sums;
  for (int64_t r = 0; r < rows; ++r, logits += columns) {
    const int64_t label = labels[r];
    float* gradient = kGradient ? dlogits + r * columns : nullptr;
    sums.counted += label >= 0;
    if (label < 0 || label >= columns) {
      constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
      if (label >= 0) sums.loss = kNaN;
      if constexpr (kGradient) std::fill_n(gradient, columns, label < 0 ? 0 : kNaN);
      continue;
    }
    const float max = greatest(logits, columns);
    const double sum = sum_exp<kGradient>(gradient, logits, columns, max);
    sums.loss += static_cast<double>(max) - logits[label] + std::log(sum);
    if (std::isnan(sum)) {  // NaN or infinities, which `max` may hide
      sums.correct += naive::is_first_greatest(logits, label, columns);
    } else {
      sums.correct += logits[label] == max && !holds(logits, label, max);
    }
    if constexpr (kGradient) {
      scale_row(gradient, columns, static_cast<float>(scale / sum));
      gradient[label] -= scale;
    }
  }
  return sums;
}

naive::CrossEntropy cross_entropy(const float* logits, const int32_t* labels, int64_t rows,
                                  int64_t columns) {
  return cross_entropy_rows<false>(nullptr, logits, labels, rows, columns, 0);
}

naive::CrossEntropy cross_entropy_training(float* dlogits, const float* logits,
                                           const int32_t* labels, int64_t rows, int64_t columns,
                                           float scale) {
  return cross_entropy_rows<true>(dlogits, logits, labels, rows, columns, scale);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(softmax);
HWY_EXPORT(cross_entropy);
HWY_EXPORT(cross_entropy_training);

}  // namespace

void softmax_rows(float* y, const float* x, int64_t rows, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(softmax)(y, x, rows, columns);
}

naive::CrossEntropy softmax_cross_entropy_rows(const float* logits, const int32_t* labels,
                                               int64_t rows, int64_t columns) {
  return HWY_DYNAMIC_DISPATCH(cross_entropy)(logits, labels, rows, columns);
}

naive::CrossEntropy softmax_cross_entropy_training_rows(float* dlogits, const float* logits,
                                                        const int32_t* labels, int64_t rows,
                                                        int64_t columns, float scale) {
  return HWY_DYNAMIC_DISPATCH(cross_entropy_training)(dlogits, logits, labels, rows, columns,
                                                      scale);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
