// Softmax and cross-entropy as plain loops: the f64 path, and the oracle of the fast one.
// Everything is summed in f64.
#pragma once

#include <algorithm>
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

// log(sum exp(x)) in two parts, the greatest x so that nothing overflows, and the rest: beside a
// large one the digits of the other would be lost. NaN if an x is NaN.
struct LogSumExp {
  double max, rest;

  template <typename T>
  LogSumExp(const T* x, int64_t count) : max(-std::numeric_limits<double>::infinity()) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) max = x[i] > max ? x[i] : max;
    for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - max);
    rest = std::log(sum);
  }

  double log_softmax(double x) const { return x - max - rest; }
};

template <typename T>
void softmax(T* y, const T* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const LogSumExp all(x, columns);
    for (int64_t i = 0; i < columns; ++i) y[i] = static_cast<T>(std::exp(all.log_softmax(x[i])));
  }
}

template <typename T>
void log_softmax(T* y, const T* x, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, y += columns, x += columns) {
    const LogSumExp all(x, columns);
    for (int64_t i = 0; i < columns; ++i) y[i] = static_cast<T>(all.log_softmax(x[i]));
  }
}

// The targets of some rows: labels, or distributions.
template <typename T>
struct TargetRows {
  const int32_t* labels;  // or NULL
  const T* values;        // or NULL: [rows, columns]
  const T* weights;       // of the classes, or NULL
  double smoothing;
  int64_t columns;

  // Targets are labels and nothing more: what loops are fastest for.
  bool are_plain() const { return labels != nullptr && weights == nullptr && smoothing == 0; }
  TargetRows from(int64_t row) const {
    TargetRows rest = *this;
    if (labels != nullptr) rest.labels += row;
    if (values != nullptr) rest.values += row * columns;
    return rest;
  }
  bool counts(int64_t row) const {
    return labels != nullptr ? labels[row] >= 0 : columns > 0 && !(values[row * columns] < 0);
  }
  // The label, or the place of the first greatest value, of a row that counts.
  int64_t label(int64_t row) const {
    if (labels != nullptr) return labels[row];
    const T* target = values + row * columns;
    return std::max_element(target, target + columns) - target;
  }
  double weight(int64_t c) const { return weights == nullptr ? 1 : weights[c]; }
  // q of gatun.h
  double wanted(int64_t row, int64_t c) const {
    const double t = labels == nullptr ? values[row * columns + c] : labels[row] == c;
    return weight(c) * ((1 - smoothing) * t + smoothing / static_cast<double>(columns));
  }
  // What the row adds to the total that the sums are divided by.
  double share(int64_t row) const {
    if (!counts(row)) return 0;
    return labels == nullptr || labels[row] >= columns ? 1 : weight(labels[row]);
  }
};

// Sums over some rows.
struct CrossEntropy {
  double loss = 0;
  double total = 0;
  int64_t correct = 0;
};

template <typename T>
CrossEntropy softmax_cross_entropy(const T* logits, const TargetRows<T>& targets, int64_t rows) {
  CrossEntropy sums;
  const int64_t columns = targets.columns;
  for (int64_t r = 0; r < rows; ++r, logits += columns) {
    if (!targets.counts(r)) continue;
    const int64_t label = targets.label(r);
    sums.total += targets.share(r);
    if (label >= columns) {
      sums.loss = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    const LogSumExp all(logits, columns);
    double loss = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const double q = targets.wanted(r, c);
      if (q != 0) loss -= q * all.log_softmax(logits[c]);
    }
    sums.loss += loss;
    sums.correct += is_first_greatest(logits, label, columns);
  }
  return sums;
}

// scale: dloss / total.
template <typename T>
void softmax_cross_entropy_backward(T* dlogits, const T* logits, const TargetRows<T>& targets,
                                    int64_t rows, double scale) {
  const int64_t columns = targets.columns;
  for (int64_t r = 0; r < rows; ++r, dlogits += columns, logits += columns) {
    const bool counts = targets.counts(r), fits = !counts || targets.label(r) < columns;
    const LogSumExp all(logits, columns);
    double mass = 0;
    for (int64_t c = 0; c < columns; ++c) mass += targets.wanted(r, c);
    for (int64_t c = 0; c < columns; ++c) {
      const double p = std::exp(all.log_softmax(logits[c]));
      double d = scale * (p * mass - targets.wanted(r, c));
      if (!counts) d = 0;
      if (!fits) d = std::numeric_limits<double>::quiet_NaN();
      dlogits[c] = static_cast<T>(d);
    }
  }
}

}  // namespace gatun::kernels::naive
