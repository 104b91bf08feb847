// Activations and their gradients. Beyond `kFar` each is its asymptote to the last bit, and
// products with what vanishes there stay finite.
#include "cuda/kernels/functions.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/map.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Function;

template <typename T>
__device__ T clamp(T x, T low, T high) {
  return x < low ? low : x > high ? high : x;
}
template <typename T>
constexpr T kFar = T{800};

// s(x) = 1 / (1 + exp(-x)), and 1 - s(x) without cancellation.
template <typename T>
struct Sigmoid {
  T value, rest;
  __device__ explicit Sigmoid(T x) {
    const T e = math::exp(-math::abs(x));
    const T large = 1 / (1 + e), small = e / (1 + e);
    value = x < 0 ? small : large;
    rest = x < 0 ? large : small;
  }
};

// exp(-x^2 / 2) / sqrt(2 pi); what rounding x^2 loses comes back, for an exponent enlarges it.
template <typename T>
__device__ T normal_density(T x) {
  const T square = x * x, lost = math::fma(x, x, -square);
  return T(0.39894228040143267794) * math::exp(T(-0.5) * square) * (1 - T(0.5) * lost);
}

// GELU's approximation is x s(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <typename T>
__device__ T twice_u(T x) {
  return T(1.59576912160573071176) * (x + T(0.044715) * x * x * x);
}
template <typename T>
__device__ T twice_u_slope(T x) {
  return T(1.59576912160573071176) * (1 + T(3 * 0.044715) * x * x);
}

template <typename T, int N>
__device__ Pack<T, N> values(Function f, const Pack<T, N>& x, T parameter) {
  switch (f) {
    case Function::LEAKY_RELU:
      return each(x, [=](T v) { return v > 0 ? v : parameter * v; });
    case Function::ELU:
      return each(x, [=](T v) { return v > 0 ? v : parameter * math::expm1(v); });
    case Function::GELU:
      return each(x, [](T v) { return (v < -kFar<T> ? -kFar<T> : v) * math::normal_below(v); });
    case Function::GELU_TANH:
      return each(x,
                  [](T v) { return (v < -kFar<T> ? -kFar<T> : v) * Sigmoid<T>(twice_u(v)).value; });
    case Function::SILU:
      return each(x, [](T v) { return (v < -kFar<T> ? -kFar<T> : v) * Sigmoid<T>(v).value; });
    case Function::SOFTPLUS:
      return each(x, [](T v) { return (v < 0 ? 0 : v) + math::log1p(math::exp(-math::abs(v))); });
  }
  return x;
}

template <typename T, int N>
__device__ Pack<T, N> slopes(Function f, const Pack<T, N>& x, T parameter) {
  switch (f) {
    case Function::LEAKY_RELU:
      return each(x, [=](T v) { return v > 0 ? 1 : math::is_nan(v) ? v : parameter; });
    case Function::ELU:
      return each(x, [=](T v) { return v > 0 ? 1 : parameter * math::exp(v); });
    case Function::GELU:
      return each(x, [](T v) {
        const T near = clamp(v, -kFar<T>, kFar<T>);
        return math::normal_below(near) + near * normal_density(near);
      });
    case Function::GELU_TANH:
      return each(x, [](T v) {
        const T near = clamp(v, -kFar<T>, kFar<T>);
        const Sigmoid<T> s(twice_u(near));
        return s.value + near * s.value * s.rest * twice_u_slope(near);
      });
    case Function::SILU:
      return each(x, [](T v) {
        const T near = clamp(v, -kFar<T>, kFar<T>);
        const Sigmoid<T> s(near);
        return s.value * (1 + near * s.rest);
      });
    case Function::SOFTPLUS:
      return each(x, [](T v) { return Sigmoid<T>(v).value; });
  }
  return x;
}

template <typename W>
struct Forward {
  Function f;
  W parameter;
  template <int N>
  __device__ Pack<W, N> operator()(const Pack<W, N>& x) const {
    return values(f, x, parameter);
  }
};

template <typename W>
struct Backward {
  Function f;
  W parameter;
  template <int N>
  __device__ Pack<W, N> operator()(const Pack<W, N>& dy, const Pack<W, N>& x) const {
    return each(dy, slopes(f, x, parameter), [](W d, W slope) { return d * slope; });
  }
};

}  // namespace

namespace kernels {

void activate(Queue& queue, const Tensor& y, const Tensor& x, Function f, double parameter) {
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    launch_map<T>(queue, y, Forward<W>{f, static_cast<W>(parameter)}, x);
  });
}

void activate_backward(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& x,
                       Function f, double parameter) {
  with_floating(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    launch_map<T>(queue, dx, Backward<W>{f, static_cast<W>(parameter)}, dy, x);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
