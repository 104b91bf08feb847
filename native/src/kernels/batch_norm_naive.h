// Batch normalisation as plain loops: the f64 path, and the oracle of the fast one.
// x, y, residual and their gradients are [rows, channels], everything else is [channels].
#pragma once

#include <cmath>
#include <cstdint>

namespace gatun::kernels::naive {

// How y and its gradient pass the activation; NaN stays NaN.
template <typename T>
T batch_norm_output(double value, bool relu) {
  return static_cast<T>(relu && value < 0 ? 0 : value);
}

template <typename T>
void batch_norm_training(T* y, T* mean, T* inv_std, T* new_running_mean, T* new_running_variance,
                         const T* x, const T* gamma, const T* beta, const T* residual,
                         const T* moments, const T* running_mean, const T* running_variance,
                         int64_t rows, int64_t channels, double momentum, double epsilon,
                         bool relu) {
  const auto m = static_cast<double>(rows);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += x[r * channels + c];
    const double center = moments == nullptr ? sum / m : moments[c];
    double squares = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const double d = x[r * channels + c] - center;
      squares += d * d;
    }
    const double variance = moments == nullptr ? squares / m : moments[channels + c];
    const double inverse = 1 / std::sqrt(variance + epsilon);
    mean[c] = static_cast<T>(center);
    inv_std[c] = static_cast<T>(inverse);
    new_running_mean[c] = static_cast<T>((1 - momentum) * running_mean[c] + momentum * center);
    new_running_variance[c] =
        static_cast<T>((1 - momentum) * running_variance[c] + momentum * variance * (m / (m - 1)));
    for (int64_t i = c; i < rows * channels; i += channels) {
      const double added = residual == nullptr ? 0 : residual[i];
      y[i] = batch_norm_output<T>(gamma[c] * ((x[i] - center) * inverse) + beta[c] + added, relu);
    }
  }
}

template <typename T>
void batch_norm_backward(T* dx, T* dgamma, T* dbeta, T* dresidual, const T* dy, const T* x,
                         const T* y, const T* mean, const T* inv_std, const T* gamma, const T* sums,
                         int64_t rows, int64_t channels, bool relu) {
  const auto m = static_cast<double>(rows);
  for (int64_t c = 0; c < channels; ++c) {
    const double center = mean[c], inverse = inv_std[c];
    double sum = 0, product = 0;
    for (int64_t i = c; i < rows * channels; i += channels) {
      const double g = relu && !(y[i] > 0) ? 0 : dy[i];
      sum += g;
      product += g * ((x[i] - center) * inverse);
    }
    if (sums != nullptr) {
      sum = sums[c];
      product = sums[channels + c] * inverse;
    }
    dbeta[c] = static_cast<T>(sum);
    dgamma[c] = static_cast<T>(product);
    for (int64_t i = c; i < rows * channels; i += channels) {
      const T g = relu && !(y[i] > 0) ? T{0} : dy[i];
      const double xhat = (x[i] - center) * inverse;
      dx[i] = static_cast<T>(gamma[c] * inverse * (g - (sum + xhat * product) / m));
      if (dresidual != nullptr) dresidual[i] = g;
    }
  }
}

template <typename T>
void batch_norm_inference(T* y, const T* x, const T* gamma, const T* beta, const T* residual,
                          const T* running_mean, const T* running_variance, int64_t rows,
                          int64_t channels, double epsilon, bool relu) {
  for (int64_t i = 0; i < rows * channels; ++i) {
    const int64_t c = i % channels;
    const double inverse = 1 / std::sqrt(running_variance[c] + epsilon);
    const double xhat = (static_cast<double>(x[i]) - running_mean[c]) * inverse;
    const double added = residual == nullptr ? 0 : residual[i];
    y[i] = batch_norm_output<T>(gamma[c] * xhat + beta[c] + added, relu);
  }
}

}  // namespace gatun::kernels::naive
