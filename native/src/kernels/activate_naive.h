// Activations and their derivatives as plain formulas: the oracle of the tests, and the path of
// f64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/activate.h"

namespace gatun::kernels::naive {

// Beyond it every activation is its asymptote to the last bit of f64. Products with what vanishes
// there stay finite.
constexpr double kFar = 800;

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
// The normal distribution, of full relative accuracy in its tail.
inline double normal_below(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
inline double normal_density(double x) { return 0.39894228040143267794 * std::exp(-0.5 * x * x); }
// GELU's approximation is x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
inline double twice_u(double x) { return 1.59576912160573071176 * (x + 0.044715 * x * x * x); }
inline double twice_u_slope(double x) {
  return 1.59576912160573071176 * (1 + 3 * 0.044715 * x * x);
}

inline double apply(Function f, double x, double parameter) {
  const double low = x < -kFar ? -kFar : x;
  switch (f) {
    case Function::LEAKY_RELU:
      return x > 0 ? x : parameter * x;
    case Function::ELU:
      return x > 0 ? x : parameter * std::expm1(x);
    case Function::GELU:
      return low * normal_below(x);
    case Function::GELU_TANH:
      return low * sigmoid(twice_u(x));
    case Function::SILU:
      return low * sigmoid(x);
    case Function::SOFTPLUS:
      return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

inline double slope(Function f, double x, double parameter) {
  const double near = x < -kFar ? -kFar : x > kFar ? kFar : x;
  switch (f) {
    case Function::LEAKY_RELU:
      return x > 0 ? 1 : std::isnan(x) ? x : parameter;
    case Function::ELU:
      return x > 0 ? 1 : parameter * std::exp(x);
    case Function::GELU:
      return normal_below(near) + near * normal_density(near);
    case Function::GELU_TANH: {
      const double s = sigmoid(twice_u(near));
      return s + near * s * (1 - s) * twice_u_slope(near);
    }
    case Function::SILU: {
      const double s = sigmoid(near);
      return s * (1 + near * (1 - s));
    }
    case Function::SOFTPLUS:
      return sigmoid(x);
  }
  return x;
}

template <typename T>
void activate(T* y, const T* x, int64_t count, Function f, double parameter) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<T>(apply(f, x[i], parameter));
}

template <typename T>
void activate_backward(T* dx, const T* dy, const T* x, int64_t count, Function f,
                       double parameter) {
  for (int64_t i = 0; i < count; ++i) dx[i] = static_cast<T>(dy[i] * slope(f, x[i], parameter));
}

}  // namespace gatun::kernels::naive
