// The adaptive optimizers beside Adam, one pass over a slab each. Contracts are in gatun.h.
#pragma once

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
  AdaptiveFactors(const AdaptiveRule& rule, double learning_rate, int64_t step);
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
