// The optimizer's passes as plain loops: the f64 path, and the oracle of the fast one.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/optimizer.h"

namespace gatun::kernels::naive {

template <typename T>
double sum_squares(const T* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

template <typename T>
void scale(T* y, const T* x, int64_t count, double by) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<T>(by * x[i]);
}

template <typename T>
void lerp(T* y, const T* a, const T* b, int64_t count, double weight) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = static_cast<T>(a[i] + weight * (static_cast<double>(b[i]) - a[i]));
  }
}

template <typename T>
void sgd_step(T* new_parameter, T* new_velocity, const T* parameter, const T* velocity,
              const T* gradient, int64_t count, double learning_rate, const SgdRule& rule) {
  const double gain = rule.rate_in_velocity ? learning_rate : 1;
  const double rate = rule.rate_in_velocity ? 1 : learning_rate;
  for (int64_t i = 0; i < count; ++i) {
    double step = gain * (gradient[i] + rule.weight_decay * parameter[i]);
    if (velocity != nullptr) {
      const double v = rule.momentum * velocity[i] + (1 - rule.dampening) * step;
      step = rule.nesterov ? step + rule.momentum * v : v;
      new_velocity[i] = static_cast<T>(v);
    }
    new_parameter[i] = static_cast<T>(parameter[i] - rate * step);
  }
}

template <typename T>
void adam_step(const AdamState<T>& s, int64_t begin, int64_t end, const AdamFactors& by) {
  for (int64_t i = begin; i < end; ++i) {
    const double d = s.gradient[i] + by.l2 * s.parameter[i];
    const double m = by.beta1 * s.m[i] + (1 - by.beta1) * d;
    const double v = by.beta2 * s.v[i] + (1 - by.beta2) * d * d;
    s.new_m[i] = static_cast<T>(m);
    s.new_v[i] = static_cast<T>(v);
    const double direction = m / (std::sqrt(v) * by.root_bias + by.epsilon);
    s.new_parameter[i] = static_cast<T>(by.keep * s.parameter[i] - by.rate * direction);
  }
}

}  // namespace gatun::kernels::naive
