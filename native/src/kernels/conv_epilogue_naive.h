// The epilogue as plain loops: the definition, the oracle of the tests, and the path of f64.
#pragma once

#include "kernels/conv_epilogue.h"

namespace gatun::kernels::naive {

template <typename T>
void finish(T* y, int64_t pixels, int64_t channels, const EpilogueData<T>& e) {
  for (int64_t i = 0; i < pixels * channels; ++i) {
    T value = y[i];
    if (e.addend != nullptr) value += e.addend[i];
    if (e.relu && value < T(0)) value = T(0);
    if (e.gate != nullptr && !(e.gate[i] > T(0))) value = T(0);
    y[i] = value;
  }
}

template <typename T>
void reduce(const T* y, int64_t pixels, int64_t channels, const EpilogueData<T>& e) {
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int64_t i = c; i < pixels * channels; i += channels) sum += y[i];
    if (e.moments != nullptr) {
      const double mean = sum / static_cast<double>(pixels);
      double m2 = 0;
      for (int64_t i = c; i < pixels * channels; i += channels) m2 += (y[i] - mean) * (y[i] - mean);
      e.moments[c] = static_cast<T>(mean);
      e.moments[channels + c] = static_cast<T>(m2 / static_cast<double>(pixels));
    }
    if (e.sums != nullptr) {
      const double mean = e.norm_mean[c];
      double product = 0;
      for (int64_t i = c; i < pixels * channels; i += channels)
        product += y[i] * (e.norm_x[i] - mean);
      e.sums[c] = static_cast<T>(sum);
      e.sums[channels + c] = static_cast<T>(product);
    }
  }
}

}  // namespace gatun::kernels::naive
