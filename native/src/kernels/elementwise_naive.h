// Elementwise functions as plain loops: the oracle of the tests, and the path of f64.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "core/tensor.h"
#include "kernels/elementwise.h"

namespace gatun::kernels::naive {

template <typename T>
T apply(Unary op, T x) {
  switch (op) {
    case Unary::NEGATE:
      return -x;
    case Unary::ABS:
      return std::abs(x);
    case Unary::SQUARE:
      return x * x;
    case Unary::SQRT:
      return std::sqrt(x);
    case Unary::EXP:
      return std::exp(x);
    case Unary::LOG:
      return std::log(x);
    case Unary::RELU:
      return x < 0 ? T{0} : x;
    case Unary::SIGMOID:
      return 1 / (1 + std::exp(-x));
    case Unary::TANH:
      return std::tanh(x);
    case Unary::SIGN:
      return x > 0 ? T{1} : x < 0 ? T{-1} : x;
  }
  return x;
}

template <typename T>
T apply(Binary op, T a, T b) {
  switch (op) {
    case Binary::ADD:
      return a + b;
    case Binary::SUBTRACT:
      return a - b;
    case Binary::MULTIPLY:
      return a * b;
    case Binary::DIVIDE:
      return a / b;
    case Binary::MAXIMUM:  // a NaN wins, as in NumPy
      return std::isnan(a) || a > b ? a : b;
    case Binary::MINIMUM:
      return std::isnan(a) || a < b ? a : b;
    case Binary::GATE:
      return b > 0 ? a : T{0};
  }
  return a;
}

// The element of `operand` that belongs to y's element i.
inline int64_t broadcast_index(const Tensor& operand, const Tensor& y, int64_t i) {
  int64_t index = 0, stride = 1;
  for (int32_t k = 1; k <= operand.rank; ++k) {
    const int64_t y_dim = y.dims[y.rank - k], dim = operand.dims[operand.rank - k];
    if (dim != 1) index += i % y_dim * stride;
    i /= y_dim;
    stride *= dim;
  }
  return index;
}

// Elements [begin, end) of y.
template <typename T>
void unary(const Tensor& y, const Tensor& x, Unary op, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) y.as<T>()[i] = apply(op, x.as<T>()[i]);
}

template <typename T>
void binary(const Tensor& y, const Tensor& a, const Tensor& b, Binary op, int64_t begin,
            int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    y.as<T>()[i] =
        apply(op, a.as<T>()[broadcast_index(a, y, i)], b.as<T>()[broadcast_index(b, y, i)]);
  }
}

template <typename T>
void affine(const Tensor& y, const Tensor& x, double scale, double shift, int64_t begin,
            int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    y.as<T>()[i] = static_cast<T>(scale) * x.as<T>()[i] + static_cast<T>(shift);
  }
}

}  // namespace gatun::kernels::naive
