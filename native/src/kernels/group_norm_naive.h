// Group normalisation of a picture as plain loops: the f64 path, and the oracle of the fast one.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/group_norm.h"

namespace gatun::kernels::naive {

// Calls body(index of the value, its channel) for the values of a group.
template <typename Body>
void for_group(const GroupShape& shape, int64_t group, Body body) {
  for (int64_t p = 0; p < shape.places; ++p) {
    for (int64_t k = 0; k < shape.each(); ++k) {
      const int64_t channel = group * shape.each() + k;
      body(p * shape.channels + channel, channel);
    }
  }
}

template <typename T>
void group_norm(T* y, T* mean, T* inv_std, const T* x, const T* gamma, const T* beta,
                const GroupShape& shape, double epsilon) {
  for (int64_t g = 0; g < shape.groups; ++g) {
    double sum = 0, squares = 0;
    for_group(shape, g, [&](int64_t i, int64_t) { sum += x[i]; });
    const double center = sum / shape.count();
    for_group(shape, g, [&](int64_t i, int64_t) { squares += (x[i] - center) * (x[i] - center); });
    const double inverse = 1 / std::sqrt(squares / shape.count() + epsilon);
    mean[g] = static_cast<T>(center);
    inv_std[g] = static_cast<T>(inverse);
    for_group(shape, g, [&](int64_t i, int64_t c) {
      y[i] = static_cast<T>(gamma[c] * ((x[i] - center) * inverse) + beta[c]);
    });
  }
}

// Adds to dgamma and dbeta.
template <typename T>
void group_norm_backward(T* dx, double* dgamma, double* dbeta, const T* dy, const T* x,
                         const T* mean, const T* inv_std, const T* gamma, const GroupShape& shape) {
  for (int64_t g = 0; g < shape.groups; ++g) {
    const double center = mean[g], inverse = inv_std[g];
    double sum = 0, product = 0;
    for_group(shape, g, [&](int64_t i, int64_t c) {
      const double xhat = (x[i] - center) * inverse;
      sum += static_cast<double>(gamma[c]) * dy[i];
      product += gamma[c] * dy[i] * xhat;
      dgamma[c] += dy[i] * xhat;
      dbeta[c] += dy[i];
    });
    for_group(shape, g, [&](int64_t i, int64_t c) {
      const double xhat = (x[i] - center) * inverse;
      dx[i] = static_cast<T>(inverse * (static_cast<double>(gamma[c]) * dy[i] -
                                        (sum + xhat * product) / shape.count()));
    });
  }
}

}  // namespace gatun::kernels::naive
