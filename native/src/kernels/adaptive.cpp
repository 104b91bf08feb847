#include "kernels/adaptive.h"

#include <cmath>

#include "kernels/adaptive_naive.h"
#include "kernels/adaptive_simd.h"
#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

double scalar(const Tensor& t) { return t.dtype == DType::F64 ? *t.as<double>() : *t.as<float>(); }

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

// NAdam's momentum at step t, counted from 1 (Dozat 2016): beta1 (1 - 0.96^(0.004 t) / 2).
constexpr double kMomentumDecay = 0.004;
const double kLogDecay = kMomentumDecay * std::log(0.96);

double nadam_momentum(double beta1, double t) {
  return beta1 * (1 - 0.5 * std::exp(kLogDecay * t));
}

// The product of the momenta of steps 1 to t, without a loop over them: with q = exp(kLogDecay) and
// log(1 - x) = -sum_k x^k / k, the sum over the steps is geometric for each k.
double nadam_product(double beta1, double t) {
  double logarithm = 0;
  double half = 1;
  for (int k = 1; k <= 56; ++k) {  // 2^-56 / 56 is below the rounding of the first term
    half *= 0.5;
    const double ratio = std::expm1(k * t * kLogDecay) / std::expm1(k * kLogDecay);
    logarithm -= half / k * std::exp(k * kLogDecay) * ratio;
  }
  return std::pow(beta1, t) * std::exp(logarithm);
}

}  // namespace

AdaptiveFactors::AdaptiveFactors(const AdaptiveRule& rule, double learning_rate, int64_t step)
    : beta1(rule.beta1),
      beta2(rule.kind == AdaptiveKind::ADAGRAD ? 1 : rule.beta2),
      share2(rule.kind == AdaptiveKind::ADAGRAD ? 1 : 1 - rule.beta2),
      epsilon(rule.epsilon),
      l2(rule.decoupled ? 0 : rule.weight_decay),
      keep(rule.decoupled ? 1 - learning_rate * rule.weight_decay : 1),
      rate(learning_rate) {
  const double t = static_cast<double>(step) + 1;
  switch (rule.kind) {
    case AdaptiveKind::AMSGRAD:
      rate_m = rate / (1 - std::pow(beta1, t));
      root_bias = 1 / std::sqrt(1 - std::pow(beta2, t));
      break;
    case AdaptiveKind::NADAM: {
      const double now = nadam_momentum(beta1, t), next = nadam_momentum(beta1, t + 1);
      const double product = nadam_product(beta1, t);
      rate_m = rate * next / (1 - product * next);
      rate_d = rate * (1 - now) / (1 - product);
      root_bias = 1 / std::sqrt(1 - std::pow(beta2, t));
      break;
    }
    case AdaptiveKind::ADAGRAD:
    case AdaptiveKind::RMSPROP:
      rate_d = rate;
      break;
    case AdaptiveKind::LION:
      break;
  }
}

void adaptive_step(Launcher& launcher, const AdaptiveTensors& tensors, const Tensor& learning_rate,
                   const Tensor& step, const AdaptiveRule& rule) {
  const auto launch = [&]<typename T>(void (*range)(const AdaptiveState<T>&, int64_t, int64_t,
                                                    AdaptiveKind, const AdaptiveFactors&)) {
    const AdaptiveState<T> state = {data_of<T>(tensors.new_parameter),
                                    data_of<T>(tensors.new_m),
                                    data_of<T>(tensors.new_v),
                                    data_of<T>(tensors.new_greatest),
                                    data_of<T>(tensors.parameter),
                                    data_of<T>(tensors.m),
                                    data_of<T>(tensors.v),
                                    data_of<T>(tensors.greatest),
                                    data_of<T>(tensors.gradient)};
    parallel_ranges(launcher, tensors.parameter->count, ELEMENTS_PER_TASK,
                    [=](int64_t begin, int64_t end) {
                      range(state, begin, end, rule.kind,
                            AdaptiveFactors(rule, scalar(learning_rate), *step.as<int64_t>()));
                    });
  };
  if (tensors.parameter->dtype == DType::F64) {
    launch(naive::adaptive_step<double>);
  } else {
    launch(adaptive_range);
  }
}

}  // namespace gatun::kernels
