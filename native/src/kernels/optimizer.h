// The optimizer's passes over slabs: the launch functions. Contracts are in gatun.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void norm(Launcher& launcher, const Tensor& norm, const Tensor& x);
void clip_by_norm(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& norm,
                  double max_norm);
// `reference` may be NULL.
void clip_rows(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor* reference,
               double ratio, double floor);
void lerp(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
          const Tensor& weight);

struct SgdRule {
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool rate_in_velocity = false;
};

// Both velocities are given, or neither.
void sgd_step(Launcher& launcher, const Tensor& new_parameter, const Tensor* new_velocity,
              const Tensor& parameter, const Tensor* velocity, const Tensor& gradient,
              const Tensor& learning_rate, const SgdRule& rule);

struct AdamRule {
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weight_decay = 0;
  bool decoupled = false;
};

// What one pass of Adam multiplies by: the rule at a learning rate and a step number.
struct AdamFactors {
  double beta1;
  double beta2;
  double epsilon;
  double l2;         // the share of the parameter in the gradient
  double keep;       // the share of the parameter that stays
  double rate;       // learning rate / (1 - beta1^t)
  double root_bias;  // 1 / sqrt(1 - beta2^t)

  // `step` is the number of steps done before. Constexpr and a template, so that GPUs have it too.
  template <typename Step>
  constexpr AdamFactors(const AdamRule& rule, double learning_rate, Step step)
      : beta1(rule.beta1),
        beta2(rule.beta2),
        epsilon(rule.epsilon),
        l2(rule.decoupled ? 0 : rule.weight_decay),
        keep(rule.decoupled ? 1 - learning_rate * rule.weight_decay : 1) {
    const double t = static_cast<double>(step) + 1;
    rate = learning_rate / (1 - std::pow(rule.beta1, t));
    root_bias = 1 / std::sqrt(1 - std::pow(rule.beta2, t));
  }
};

// The tensors of one Adam step; old and new may be the same.
template <typename T>
struct AdamState {
  T* new_parameter;
  T* new_m;
  T* new_v;
  const T* parameter;
  const T* m;
  const T* v;
  const T* gradient;
};

void adam_step(Launcher& launcher, const Tensor& new_parameter, const Tensor& new_m,
               const Tensor& new_v, const Tensor& parameter, const Tensor& m, const Tensor& v,
               const Tensor& gradient, const Tensor& learning_rate, const Tensor& step,
               const AdamRule& rule);

}  // namespace gatun::kernels
