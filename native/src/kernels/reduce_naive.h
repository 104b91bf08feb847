// Reductions as plain loops: the oracle of the tests, and the path of f64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/tensor.h"
#include "kernels/reduce.h"

namespace gatun::kernels::naive {

inline double start_of(Reduction op) {
  return op == Reduction::MAX ? -std::numeric_limits<double>::infinity() : 0.0;
}

// A NaN stays the maximum.
inline double combine(Reduction op, double result, double x) {
  if (op != Reduction::MAX) return result + x;
  return x > result || std::isnan(x) ? x : result;
}

template <typename T>
void reduce(const Tensor& y, const Tensor& x, Reduction op, uint32_t axes) {
  std::vector<double> results(y.count, start_of(op));
  for (int64_t i = 0; i < x.count; ++i) {
    int64_t rest = i, to = 0, stride = 1;
    for (int32_t axis = x.rank - 1; axis >= 0; --axis) {
      const int64_t at = rest % x.dims[axis];
      rest /= x.dims[axis];
      if ((axes >> axis & 1) != 0) continue;
      to += at * stride;
      stride *= x.dims[axis];
    }
    results[to] = combine(op, results[to], static_cast<double>(x.as<T>()[i]));
  }
  double reduced = 1;
  for (int32_t axis = 0; axis < x.rank; ++axis) {
    if ((axes >> axis & 1) != 0) reduced *= static_cast<double>(x.dims[axis]);
  }
  for (int64_t i = 0; i < y.count; ++i) {
    y.as<T>()[i] = static_cast<T>(op == Reduction::MEAN ? results[i] / reduced : results[i]);
  }
}

// The first greatest of `length` elements; a NaN is greater than all others.
template <typename T>
int32_t argmax(const T* x, int64_t length) {
  int64_t best = 0;
  for (int64_t i = 1; i < length && !std::isnan(x[best]); ++i) {
    if (!(x[i] <= x[best])) best = i;
  }
  return static_cast<int32_t>(best);
}

// One part of a larger reduction: combines x[i * row_stride + c] over `rows` rows into results[c].
template <typename T>
void reduce_block(Reduction op, double* results, const T* x, int64_t rows, int64_t columns,
                  int64_t row_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c) {
      results[c] = combine(op, results[c], static_cast<double>(x[row * row_stride + c]));
    }
  }
}

}  // namespace gatun::kernels::naive
