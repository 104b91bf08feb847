// Layer and RMS normalisation as plain loops: the f64 path, and the oracle of the fast one.
#pragma once

#include <cmath>
#include <cstdint>

namespace gatun::kernels::naive {

template <typename T>
void layer_norm(T* y, T* mean, T* inv_std, const T* x, const T* gamma, const T* beta, int64_t rows,
                int64_t columns, double epsilon) {
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; mean != nullptr && c < columns; ++c) sum += x[c];
    const double center = sum / static_cast<double>(columns);
    for (int64_t c = 0; c < columns; ++c) squares += (x[c] - center) * (x[c] - center);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
    if (mean != nullptr) mean[r] = static_cast<T>(center);
    inv_std[r] = static_cast<T>(inverse);
    for (int64_t c = 0; c < columns; ++c) {
      const double scale = gamma == nullptr ? 1 : gamma[c], shift = beta == nullptr ? 0 : beta[c];
      y[c] = static_cast<T>(scale * ((x[c] - center) * inverse) + shift);
    }
  }
}

// Adds to dgamma and dbeta.
template <typename T>
void layer_norm_backward(T* dx, double* dgamma, double* dbeta, const T* dy, const T* x,
                         const T* mean, const T* inv_std, const T* gamma, int64_t rows,
                         int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, x += columns, dy += columns, dx += columns) {
    const double center = mean == nullptr ? 0 : mean[r], inverse = inv_std[r];
    double sum = 0, product = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const double xhat = (x[c] - center) * inverse, g = gamma == nullptr ? 1 : gamma[c];
      sum += g * dy[c];
      product += g * dy[c] * xhat;
      dgamma[c] += dy[c] * xhat;
      dbeta[c] += dy[c];
    }
    if (mean == nullptr) sum = 0;
    for (int64_t c = 0; c < columns; ++c) {
      const double xhat = (x[c] - center) * inverse, g = gamma == nullptr ? 1 : gamma[c];
      dx[c] = static_cast<T>(inverse *
                             (g * dy[c] - (sum + xhat * product) / static_cast<double>(columns)));
    }
  }
}

}  // namespace gatun::kernels::naive
