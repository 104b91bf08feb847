#include "kernels/adaptive_simd.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/adaptive_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

struct Factors {
  float beta1, share1, beta2, share2, epsilon, l2, keep, rate, rate_m, rate_d, root_bias;

  explicit Factors(const AdaptiveFactors& by)
      : beta1(static_cast<float>(by.beta1)),
        share1(static_cast<float>(1 - by.beta1)),
        beta2(static_cast<float>(by.beta2)),
        share2(static_cast<float>(by.share2)),
        // One that vanishes in f32 would make 0 / 0 of what has no gradient.
        epsilon(
            static_cast<float>(std::max<double>(by.epsilon, std::numeric_limits<float>::min()))),
        l2(static_cast<float>(by.l2)),
        keep(static_cast<float>(by.keep)),
        rate(static_cast<float>(by.rate)),
        rate_m(static_cast<float>(by.rate_m)),
        rate_d(static_cast<float>(by.rate_d)),
        root_bias(static_cast<float>(by.root_bias)) {}
};

template <AdaptiveKind kKind>
void loop(const AdaptiveState<float>& s, int64_t begin, int64_t end, const Factors& by) {
  for_lanes(end - begin, [=](auto d, int64_t at) HWY_ATTR {
    const int64_t i = begin + at;
    const auto p = hn::LoadU(d, s.parameter + i);
    const auto g = hn::MulAdd(hn::Set(d, by.l2), p, hn::LoadU(d, s.gradient + i));
    const auto mix = [=](const float* old, float keep, float share) HWY_ATTR {
      return hn::MulAdd(hn::Set(d, share), g, hn::Mul(hn::Set(d, keep), hn::LoadU(d, old + i)));
    };
    auto move = g;
    if constexpr (kKind == AdaptiveKind::LION) {
      const auto m = mix(s.m, by.beta1, by.share1);
      const auto step = hn::Mul(hn::Set(d, by.rate), hn::CopySign(hn::Set(d, 1.0f), m));
      // The sign of 0 is 0; NaN stays.
      move = hn::IfThenElse(m == m, hn::IfThenZeroElse(m == hn::Zero(d), step), m);
      hn::StoreU(mix(s.m, by.beta2, 1 - by.beta2), d, s.new_m + i);
    } else {
      const auto v = hn::MulAdd(hn::Mul(hn::Set(d, by.share2), g), g,
                                hn::Mul(hn::Set(d, by.beta2), hn::LoadU(d, s.v + i)));
      hn::StoreU(v, d, s.new_v + i);
      auto square = v;
      if constexpr (kKind == AdaptiveKind::AMSGRAD) {
        const auto greatest = hn::LoadU(d, s.greatest + i);
        square = hn::IfThenElse(hn::Or(greatest < v, hn::IsNaN(v)), v, greatest);  // NaN stays
        hn::StoreU(square, d, s.new_greatest + i);
      }
      const auto root =
          hn::MulAdd(hn::Sqrt(square), hn::Set(d, by.root_bias), hn::Set(d, by.epsilon));
      if constexpr (kKind == AdaptiveKind::RMSPROP) {
        auto direction = hn::Div(g, root);
        if (s.m != nullptr) {
          direction = hn::MulAdd(hn::Set(d, by.beta1), hn::LoadU(d, s.m + i), direction);
          hn::StoreU(direction, d, s.new_m + i);
        }
        move = hn::Mul(hn::Set(d, by.rate), direction);
      } else if constexpr (kKind == AdaptiveKind::ADAGRAD) {
        move = hn::Div(hn::Mul(hn::Set(d, by.rate_d), g), root);
      } else {
        const auto m = mix(s.m, by.beta1, by.share1);
        hn::StoreU(m, d, s.new_m + i);
        move = hn::Mul(hn::Set(d, by.rate_m), m);
        if constexpr (kKind == AdaptiveKind::NADAM) {
          move = hn::MulAdd(hn::Set(d, by.rate_d), g, move);
        }
        move = hn::Div(move, root);
      }
    }
    hn::StoreU(hn::MulSub(hn::Set(d, by.keep), p, move), d, s.new_parameter + i);
  });
}

void adaptive(const AdaptiveState<float>& state, int64_t begin, int64_t end, AdaptiveKind kind,
              const AdaptiveFactors& factors) {
  const Factors by(factors);
  switch (kind) {
    case AdaptiveKind::AMSGRAD:
      return loop<AdaptiveKind::AMSGRAD>(state, begin, end, by);
    case AdaptiveKind::NADAM:
      return loop<AdaptiveKind::NADAM>(state, begin, end, by);
    case AdaptiveKind::ADAGRAD:
      return loop<AdaptiveKind::ADAGRAD>(state, begin, end, by);
    case AdaptiveKind::RMSPROP:
      return loop<AdaptiveKind::RMSPROP>(state, begin, end, by);
    case AdaptiveKind::LION:
      return loop<AdaptiveKind::LION>(state, begin, end, by);
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(adaptive);

}  // namespace

void adaptive_range(const AdaptiveState<float>& state, int64_t begin, int64_t end,
                    AdaptiveKind kind, const AdaptiveFactors& factors) {
  HWY_DYNAMIC_DISPATCH(adaptive)(state, begin, end, kind, factors);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
