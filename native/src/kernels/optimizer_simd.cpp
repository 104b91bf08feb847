#include "kernels/optimizer_simd.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

double squares(const float* x, int64_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto add_at = [=](int64_t at, hn::Vec<decltype(d)>& sum) HWY_ATTR {
    const auto v = hn::PromoteTo(d, hn::LoadU(narrow, x + at));
    sum = hn::MulAdd(v, v, sum);
  };
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    add_at(i, s0);
    add_at(i + lanes, s1);
    add_at(i + 2 * lanes, s2);
    add_at(i + 3 * lanes, s3);
  }
  for (; i + lanes <= count; i += lanes) add_at(i, s0);
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

void multiply(float* y, const float* x, int64_t count, float by) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, by)), d, y + i);
  });
}

void interpolate(float* y, const float* a, const float* b, int64_t count, float weight) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    const auto from = hn::LoadU(d, a + i);
    const auto way = hn::Sub(hn::LoadU(d, b + i), from);
    hn::StoreU(hn::MulAdd(hn::Set(d, weight), way, from), d, y + i);
  });
}

enum class Kind { PLAIN, MOMENTUM, NESTEROV };

template <Kind kKind>
void sgd_loop(float* new_parameter, float* new_velocity, const float* parameter,
              const float* velocity, const float* gradient, int64_t count, float learning_rate,
              float momentum, float share, float weight_decay, float gain) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    const auto p = hn::LoadU(d, parameter + i);
    auto step = hn::MulAdd(hn::Set(d, weight_decay), p, hn::LoadU(d, gradient + i));
    step = hn::Mul(hn::Set(d, gain), step);
    if constexpr (kKind != Kind::PLAIN) {
      const auto m = hn::Set(d, momentum);
      const auto v = hn::MulAdd(m, hn::LoadU(d, velocity + i), hn::Mul(hn::Set(d, share), step));
      hn::StoreU(v, d, new_velocity + i);
      step = kKind == Kind::NESTEROV ? hn::MulAdd(m, v, step) : v;
    }
    hn::StoreU(hn::NegMulAdd(hn::Set(d, learning_rate), step, p), d, new_parameter + i);
  });
}

void sgd(float* new_parameter, float* new_velocity, const float* parameter, const float* velocity,
         const float* gradient, int64_t count, double learning_rate, const SgdRule& rule) {
  const auto loop = velocity == nullptr ? sgd_loop<Kind::PLAIN>
                    : rule.nesterov     ? sgd_loop<Kind::NESTEROV>
                                        : sgd_loop<Kind::MOMENTUM>;
  loop(new_parameter, new_velocity, parameter, velocity, gradient, count,
       static_cast<float>(rule.rate_in_velocity ? 1 : learning_rate),
       static_cast<float>(rule.momentum), static_cast<float>(1 - rule.dampening),
       static_cast<float>(rule.weight_decay),
       static_cast<float>(rule.rate_in_velocity ? learning_rate : 1));
}

void adam(const AdamState<float>& state, int64_t begin, int64_t end, const AdamFactors& factors) {
  // An epsilon that vanishes in f32 would make 0 / 0 of what has no gradient.
  const auto epsilon =
      static_cast<float>(std::max<double>(factors.epsilon, std::numeric_limits<float>::min()));
  const auto beta1 = static_cast<float>(factors.beta1);
  const auto beta2 = static_cast<float>(factors.beta2);
  const auto share1 = static_cast<float>(1 - factors.beta1);
  const auto share2 = static_cast<float>(1 - factors.beta2);
  const auto l2 = static_cast<float>(factors.l2), keep = static_cast<float>(factors.keep);
  const auto rate = static_cast<float>(factors.rate);
  const auto root_bias = static_cast<float>(factors.root_bias);
  const AdamState<float> s = {state.new_parameter + begin, state.new_m + begin, state.new_v + begin,
                              state.parameter + begin,     state.m + begin,     state.v + begin,
                              state.gradient + begin};
  for_lanes(end - begin, [=](auto d, int64_t i) HWY_ATTR {
    const auto p = hn::LoadU(d, s.parameter + i);
    const auto g = hn::MulAdd(hn::Set(d, l2), p, hn::LoadU(d, s.gradient + i));
    const auto m =
        hn::MulAdd(hn::Set(d, share1), g, hn::Mul(hn::Set(d, beta1), hn::LoadU(d, s.m + i)));
    const auto v = hn::MulAdd(hn::Mul(hn::Set(d, share2), g), g,
                              hn::Mul(hn::Set(d, beta2), hn::LoadU(d, s.v + i)));
    hn::StoreU(m, d, s.new_m + i);
    hn::StoreU(v, d, s.new_v + i);
    const auto direction =
        hn::Div(m, hn::MulAdd(hn::Sqrt(v), hn::Set(d, root_bias), hn::Set(d, epsilon)));
    hn::StoreU(hn::NegMulAdd(hn::Set(d, rate), direction, hn::Mul(hn::Set(d, keep), p)), d,
               s.new_parameter + i);
  });
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(squares);
HWY_EXPORT(multiply);
HWY_EXPORT(interpolate);
HWY_EXPORT(sgd);
HWY_EXPORT(adam);

}  // namespace

double sum_squares(const float* x, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(squares)(x, count);
}

void scale(float* y, const float* x, int64_t count, float by) {
  HWY_DYNAMIC_DISPATCH(multiply)(y, x, count, by);
}

void lerp_range(float* y, const float* a, const float* b, int64_t count, float weight) {
  HWY_DYNAMIC_DISPATCH(interpolate)(y, a, b, count, weight);
}

void sgd_range(float* new_parameter, float* new_velocity, const float* parameter,
               const float* velocity, const float* gradient, int64_t count, double learning_rate,
               const SgdRule& rule) {
  HWY_DYNAMIC_DISPATCH(sgd)
  (new_parameter, new_velocity, parameter, velocity, gradient, count, learning_rate, rule);
}

void adam_range(const AdamState<float>& state, int64_t begin, int64_t end,
                const AdamFactors& factors) {
  HWY_DYNAMIC_DISPATCH(adam)(state, begin, end, factors);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
