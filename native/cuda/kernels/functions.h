// The unary and binary functions, on packs.
#pragma once

#include "cuda/primitives.h"
#include "kernels/elementwise.h"

namespace gatun::cuda {

template <typename T, int N, typename F>
__device__ Pack<T, N> each(const Pack<T, N>& x, F f) {
  Pack<T, N> y;
  for (int k = 0; k < N; ++k) y.values[k] = f(x.values[k]);
  return y;
}
template <typename T, int N, typename F>
__device__ Pack<T, N> each(const Pack<T, N>& a, const Pack<T, N>& b, F f) {
  Pack<T, N> y;
  for (int k = 0; k < N; ++k) y.values[k] = f(a.values[k], b.values[k]);
  return y;
}

template <typename T, int N>
__device__ Pack<T, N> apply(gatun::kernels::Unary op, const Pack<T, N>& x) {
  using gatun::kernels::Unary;
  switch (op) {
    case Unary::NEGATE:
      return each(x, [](T v) { return -v; });
    case Unary::ABS:
      return each(x, [](T v) { return math::abs(v); });
    case Unary::SQUARE:
      return each(x, [](T v) { return v * v; });
    case Unary::SQRT:
      return each(x, [](T v) { return math::sqrt(v); });
    case Unary::EXP:
      return each(x, [](T v) { return math::exp(v); });
    case Unary::LOG:
      return each(x, [](T v) { return math::log(v); });
    case Unary::RELU:
      return each(x, [](T v) { return v < 0 ? T{0} : v; });
    case Unary::SIGMOID:
      return each(x, [](T v) { return 1 / (1 + math::exp(-v)); });
    case Unary::TANH:
      return each(x, [](T v) { return math::tanh(v); });
    case Unary::SIGN:
      return each(x, [](T v) { return v > 0 ? T{1} : v < 0 ? T{-1} : v; });
  }
  return x;
}

template <typename T, int N>
__device__ Pack<T, N> apply(gatun::kernels::Binary op, const Pack<T, N>& a, const Pack<T, N>& b) {
  using gatun::kernels::Binary;
  switch (op) {
    case Binary::ADD:
      return each(a, b, [](T u, T v) { return u + v; });
    case Binary::SUBTRACT:
      return each(a, b, [](T u, T v) { return u - v; });
    case Binary::MULTIPLY:
      return each(a, b, [](T u, T v) { return u * v; });
    case Binary::DIVIDE:
      return each(a, b, [](T u, T v) { return u / v; });
    case Binary::MAXIMUM:  // a NaN wins
      return each(a, b, [](T u, T v) { return math::is_nan(u) || u > v ? u : v; });
    case Binary::MINIMUM:
      return each(a, b, [](T u, T v) { return math::is_nan(u) || u < v ? u : v; });
    case Binary::GATE:
      return each(a, b, [](T u, T v) { return v > 0 ? u : T{0}; });
  }
  return a;
}

template <typename T, int N>
__device__ Pack<T, N> affine(const Pack<T, N>& x, T scale, T shift) {
  return each(x, [=](T v) { return scale * v + shift; });
}

}  // namespace gatun::cuda
