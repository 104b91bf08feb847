// The adaptive optimizers beside Adam, one pass over a slab each. Contracts are in gatun.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

enum class AdaptiveKind : int32_t { AMSGRAD, NADAM, ADAGRAD, RMSPROP, LION };

struct AdaptiveRule {
  AdaptiveKind kind = AdaptiveKind::ADAGRAD;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;
  bool decoupled = false;

  // Which states the rule keeps.
  bool has_m() const { return kind != AdaptiveKind::ADAGRAD && !plain_rmsprop(); }
  bool has_v() const { return kind != AdaptiveKind::LION; }
  bool has_greatest() const { return kind == AdaptiveKind::AMSGRAD; }

 private:
  bool plain_rmsprop() const { return kind == AdaptiveKind::RMSPROP && beta1 == 0; }
};

// NAdam's momentum at step t, counted from 1 (Dozat 2016): beta1 (1 - 0.96^(0.004 t) / 2). These
// are constexpr and templates, so that GPUs have them too.
constexpr double kNadamLogDecay = 0.004 * -0.040821994520255166;  // 0.004 log 0.96

template <typename Real>
constexpr Real nadam_momentum(double beta1, Real t) {
  return beta1 * (1 - 0.5 * std::exp(kNadamLogDecay * t));
}

// The product of the momenta of steps 1 to t, without a loop over them: with q =
// exp(kNadamLogDecay) and log(1 - x) = -sum_k x^k / k, the sum over the steps is geometric for each
// k.
template <typename Real>
constexpr Real nadam_product(double beta1, Real t) {
  Real logarithm = 0;
  Real half = 1;
  for (int k = 1; k <= 56; ++k) {  // 2^-56 / 56 is below the rounding of the first term
    half *= 0.5;
    const Real ratio = std::expm1(k * t * kNadamLogDecay) / std::expm1(k * kNadamLogDecay);
    logarithm -= half / k * std::exp(k * kNadamLogDecay) * ratio;
  }
  return std::pow(beta1, t) * std::exp(logarithm);
}

// What one pass multiplies by: the rule at a learning rate and a step number. The rules that divide
// by a root go by (rate_m m' + rate_d d) / (root_bias root + epsilon).
struct AdaptiveFactors {
  double beta1;
  double beta2;
  double share2;  // of the new square in v'
  double epsilon;
  double l2;    // the share of the parameter in the gradient
  double keep;  // the share of the parameter that stays
  double rate;
  double rate_m = 0;
  double rate_d = 0;
  double root_bias = 1;

  // `step` is the number of steps done before.
  template <typename Step>
  constexpr AdaptiveFactors(const AdaptiveRule& rule, double learning_rate, Step step)
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
};

// The tensors of one step; old and new may be the same. States that the rule does not keep are
// NULL.
template <typename T>
struct AdaptiveState {
  T* new_parameter;
  T* new_m;
  T* new_v;
  T* new_greatest;
  const T* parameter;
  const T* m;
  const T* v;
  const T* greatest;
  const T* gradient;
};

struct AdaptiveTensors {
  const Tensor* new_parameter;
  const Tensor* new_m;
  const Tensor* new_v;
  const Tensor* new_greatest;
  const Tensor* parameter;
  const Tensor* m;
  const Tensor* v;
  const Tensor* greatest;
  const Tensor* gradient;
};

void adaptive_step(Launcher& launcher, const AdaptiveTensors& tensors, const Tensor& learning_rate,
                   const Tensor& step, const AdaptiveRule& rule);

}  // namespace gatun::kernels
