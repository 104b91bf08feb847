#include "kernels/loss_simd.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/loss_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
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
  // Each waits for its last value only.
  auto m0 = lowest, m1 = lowest, m2 = lowest, m3 = lowest;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    m0 = hn::Max(m0, hn::LoadU(d, x + i));
    m1 = hn::Max(m1, hn::LoadU(d, x + i + lanes));
    m2 = hn::Max(m2, hn::LoadU(d, x + i + 2 * lanes));
    m3 = hn::Max(m3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) m0 = hn::Max(m0, hn::LoadU(d, x + i));
  if (i < n) m1 = hn::Max(m1, load_first(d, x + i, n - i, lowest));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(m0, m1), hn::Max(m2, m3))));
}

// exp(x) of x <= 0 to two units in the last place and x's own rounding; 0 where that is less than
// the least normal number, 1 at 0, NaN of NaN.
HWY_INLINE FloatVector exp_below(FloatVector x) {
  const Floats d;
  const hn::RebindToUnsigned<Floats> bits;
  const auto log2_e = hn::Set(d, 1.44269504f);
  // 1.5 * 2^23 leaves no bits for a fraction; 127 makes an exponent of the low ones.
  const auto shifter = hn::Set(d, 12582912.0f + 127);
  const auto shifted = hn::MulAdd(x, log2_e, shifter);
  const auto scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, shifted)));
  const auto f = hn::MulSub(x, log2_e, hn::Sub(shifted, shifter));
  // 2^f over |f| <= 1/2, minimax with 1 at 0: 2e-9.
  auto p = hn::Set(d, 1.53533620e-4f);
  p = hn::MulAdd(p, f, hn::Set(d, 1.33988744e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61843736e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55033247e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 2.40226479e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 6.93147203e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.33654f)), hn::Mul(p, scale));
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
    const auto e = exp_below(hn::Sub(hn::LoadU(d, x + i), shifts));
    if constexpr (kKeep) hn::StoreU(e, d, y + i);
    sum = hn::Add(sum, e);
  }
  if (i < n) {
    // Lanes outside give exp(-inf) = 0, or NaN where the whole row is NaN already.
    const auto v = load_first(d, x + i, n - i, hn::Set(d, kLowest));
    const auto e = exp_below(hn::Sub(v, shifts));
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

// The first place of `value`, n if it is nowhere.
int64_t first_of(const float* x, int64_t n, float value) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto wanted = hn::Set(d, value);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto hits = hn::Eq(hn::LoadU(d, x + i), wanted);
    if (!hn::AllFalse(d, hits)) return i + hn::FindFirstTrue(d, hits);
  }
  while (i < n && x[i] != value) ++i;
  return i;
}

void softmax(float* y, const float* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const double sum = sum_exp<true>(y, x, columns, greatest(x, columns));
    scale_row(y, columns, static_cast<float>(1 / sum));
  }
}

void log_softmax(float* y, const float* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const float max = greatest(x, columns);
    const auto rest = static_cast<float>(std::log(sum_exp<false>(nullptr, x, columns, max)));
    for_lanes(columns, [=](auto d, int64_t i) HWY_ATTR {
      const auto shifted = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, max));
      hn::StoreU(hn::Sub(shifted, hn::Set(d, rest)), d, y + i);
    });
  }
}

using Targets = naive::TargetRows<float>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Whether the label of a row that counts, whose greatest logit and sum of exponentials are known,
// is at its first greatest logit.
bool is_right(const float* logits, int64_t label, int64_t columns, float max, double sum) {
  // With NaN or infinities, which `max` may hide, is the sum NaN.
  return std::isnan(sum) ? naive::is_first_greatest(logits, label, columns)
                         : logits[label] == max && !holds(logits, label, max);
}

template <bool kGradient>
naive::CrossEntropy plain_rows(float* dlogits, const float* logits, const int32_t* labels,
                               int64_t rows, int64_t columns, float scale) {
  naive::CrossEntropy sums;
  for (int64_t r = 0; r < rows; ++r, logits += columns) {
    const int64_t label = labels[r];
    float* gradient = kGradient ? dlogits + r * columns : nullptr;
    sums.total += label >= 0;
    if (label < 0 || label >= columns) {
      if (label >= 0) sums.loss = kNaN;
      if constexpr (kGradient) std::fill_n(gradient, columns, label < 0 ? 0 : kNaN);
      continue;
    }
    const float max = greatest(logits, columns);
    const double sum = sum_exp<kGradient>(gradient, logits, columns, max);
    sums.loss += static_cast<double>(max) - logits[label] + std::log(sum);
    sums.correct += is_right(logits, label, columns, max, sum);
    if constexpr (kGradient) {
      scale_row(gradient, columns, static_cast<float>(scale / sum));
      gradient[label] -= scale;
    }
  }
  return sums;
}

// q of gatun.h without what a label adds, at elements i...: that is the same in rows of labels.
template <typename D>
HWY_INLINE hn::Vec<D> wanted(D d, const float* values, const float* weights, float keep,
                             float everywhere, int64_t i) {
  auto q = hn::Set(d, everywhere);
  if (values != nullptr) q = hn::MulAdd(hn::LoadU(d, values + i), hn::Set(d, keep), q);
  return weights == nullptr ? q : hn::Mul(q, hn::LoadU(d, weights + i));
}

// The sum of q, and that of q (max - logit), whose terms with q = 0 are left out.
struct Mass {
  double q = 0;
  double distance = 0;
};

Mass sum_mass(const float* logits, float max, const float* values, const float* weights, float keep,
              float everywhere, int64_t columns) {
  const Floats d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t block = 64 * lanes;  // summed in f32
  Mass mass;
  const auto term = [=](auto tag, int64_t i, auto& q_sum, auto& distance_sum) HWY_ATTR {
    const auto q = wanted(tag, values, weights, keep, everywhere, i);
    const auto far = hn::Sub(hn::Set(tag, max), hn::LoadU(tag, logits + i));
    q_sum = hn::Add(q_sum, q);
    const auto none = hn::Eq(q, hn::Zero(tag));
    distance_sum = hn::Add(distance_sum, hn::IfThenZeroElse(none, hn::Mul(q, far)));
  };
  int64_t i = 0;
  while (i + lanes <= columns) {
    const int64_t end = std::min(columns, i + block);
    auto q = hn::Zero(d), distance = hn::Zero(d);
    for (; i + lanes <= end; i += lanes) term(d, i, q, distance);
    mass.q += hn::GetLane(hn::SumOfLanes(d, q));
    mass.distance += hn::GetLane(hn::SumOfLanes(d, distance));
  }
  for (; i < columns; ++i) {
    auto q = hn::Zero(one), distance = hn::Zero(one);
    term(one, i, q, distance);
    mass.q += hn::GetLane(q);
    mass.distance += hn::GetLane(distance);
  }
  return mass;
}

template <bool kGradient>
naive::CrossEntropy general_rows(float* dlogits, const float* logits, const Targets& targets,
                                 int64_t rows, float scale) {
  naive::CrossEntropy sums;
  const int64_t columns = targets.columns;
  const auto keep = static_cast<float>(1 - targets.smoothing);
  const auto everywhere = static_cast<float>(targets.smoothing / static_cast<double>(columns));
  const float* weights = targets.weights;
  for (int64_t r = 0; r < rows; ++r, logits += columns) {
    float* gradient = kGradient ? dlogits + r * columns : nullptr;
    if (!targets.counts(r)) {
      if constexpr (kGradient) std::fill_n(gradient, columns, 0.0f);
      continue;
    }
    const float* values = targets.values == nullptr ? nullptr : targets.values + r * columns;
    const int64_t label = values == nullptr ? targets.labels[r]
                                            : first_of(values, columns, greatest(values, columns));
    sums.total += targets.share(r);
    if (label >= columns) {
      sums.loss = kNaN;
      if constexpr (kGradient) std::fill_n(gradient, columns, kNaN);
      continue;
    }
    const auto at_label =
        values == nullptr ? static_cast<float>(keep * targets.weight(label)) : 0.0f;
    const float max = greatest(logits, columns);
    const double sum = sum_exp<kGradient>(gradient, logits, columns, max);
    Mass mass = sum_mass(logits, max, values, weights, keep, everywhere, columns);
    mass.q += at_label;
    if (at_label != 0) mass.distance += at_label * (static_cast<double>(max) - logits[label]);
    sums.loss += mass.distance + mass.q * std::log(sum);
    sums.correct += is_right(logits, label, columns, max, sum);
    if constexpr (kGradient) {
      const auto by = static_cast<float>(scale * mass.q / sum);
      for_lanes(columns, [=](auto d, int64_t i) HWY_ATTR {
        const auto q = wanted(d, values, weights, keep, everywhere, i);
        const auto p = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, by));
        hn::StoreU(hn::NegMulAdd(q, hn::Set(d, scale), p), d, gradient + i);
      });
      gradient[label] -= scale * at_label;
    }
  }
  return sums;
}

naive::CrossEntropy cross_entropy(const float* logits, const Targets& targets, int64_t rows) {
  return targets.are_plain()
             ? plain_rows<false>(nullptr, logits, targets.labels, rows, targets.columns, 0)
             : general_rows<false>(nullptr, logits, targets, rows, 0);
}

naive::CrossEntropy cross_entropy_training(float* dlogits, const float* logits,
                                           const Targets& targets, int64_t rows, float scale) {
  return targets.are_plain()
             ? plain_rows<true>(dlogits, logits, targets.labels, rows, targets.columns, scale)
             : general_rows<true>(dlogits, logits, targets, rows, scale);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(softmax);
HWY_EXPORT(log_softmax);
HWY_EXPORT(cross_entropy);
HWY_EXPORT(cross_entropy_training);

}  // namespace

void softmax_rows(float* y, const float* x, int64_t rows, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(softmax)(y, x, rows, columns);
}

void log_softmax_rows(float* y, const float* x, int64_t rows, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(log_softmax)(y, x, rows, columns);
}

naive::CrossEntropy softmax_cross_entropy_rows(const float* logits,
                                               const naive::TargetRows<float>& targets,
                                               int64_t rows) {
  return HWY_DYNAMIC_DISPATCH(cross_entropy)(logits, targets, rows);
}

naive::CrossEntropy softmax_cross_entropy_training_rows(float* dlogits, const float* logits,
                                                        const naive::TargetRows<float>& targets,
                                                        int64_t rows, float scale) {
  return HWY_DYNAMIC_DISPATCH(cross_entropy_training)(dlogits, logits, targets, rows, scale);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
