// Softmax and cross-entropy as plain loops: the f64 path, and the oracle of the fast one.
// Everything is summed in f64.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace gatun::kernels::naive {

// No element before `place` is as great, none after it greater; false if there is a NaN.
template <typename T>
bool is_first_greatest(const T* x, int64_t place, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (i < place ? !(x[i] < x[place]) : !(x[i] <= x[place])) return false;
  }
  return true;
}

// log(sum exp(x)), relative to the greatest x so that nothing overflows; NaN if an x is NaN.
template <typename T>
double log_sum_exp(const T* x, int64_t count) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t i = 0; i < count; ++i) max = x[i] > max ? x[i] : max;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - max);
  return max + std::log(sum);
}

template <typename T>
void softmax(T* y, const T* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const double scale = log_sum_exp(x, columns);
    for (int64_t i = 0; i < columns; ++i) y[i] = static_cast<T>(std::exp(x[i] - scale));
  }
}

// Sums over some rows.
struct CrossEntropy {
  double loss = 0;
  int64_t counted = 0;
  int64_t correct = 0;
};

template <typename T>
CrossEntropy softmax_cross_entropy(const T* logits, const int32_t* labels, int64_t rows,
                                   int64_t columns) {
  CrossEntropy sums;
  for (int64_t r = 0; r < rows; ++r, logits += columns) {
    const int64_t label = labels[r];
    if (label < 0) continue;
    ++sums.counted;
    if (label >= columns) {
      sums.loss = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    sums.loss += log_sum_exp(logits, columns) - logits[label];
    sums.correct += is_first_greatest(logits, label, columns);
  }
  return sums;
}

// scale: dloss / counted rows.
template <typename T>
void softmax_cross_entropy_backward(T* dlogits, const T* logits, const int32_t* labels,
                                    int64_t rows, int64_t columns, double scale) {
  for (int64_t r = 0; r < rows; ++r, dlogits += columns, logits += columns) {
    const int64_t label = labels[r];
    const double normalizer = log_sum_exp(logits, columns);
    for (int64_t i = 0; i < columns; ++i) {
      const double p = std::exp(logits[i] - normalizer);
      double d = scale * (p - (i == label ? 1 : 0));
      if (label < 0) d = 0;
      if (label >= columns) d = std::numeric_limits<double>::quiet_NaN();
      dlogits[i] = static_cast<T>(d);
    }
  }
}

}  // namespace gatun::kernels::naive
