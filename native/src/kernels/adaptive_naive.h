// The adaptive steps as plain loops: the f64 path, and the oracle of the fast ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/adaptive.h"

namespace gatun::kernels::naive {

template <typename T>
void adaptive_step(const AdaptiveState<T>& s, int64_t begin, int64_t end, AdaptiveKind kind,
                   const AdaptiveFactors& by) {
  for (int64_t i = begin; i < end; ++i) {
    const double d = s.gradient[i] + by.l2 * s.parameter[i];
    double m = s.m == nullptr ? 0 : by.beta1 * s.m[i] + (1 - by.beta1) * d, move;
    if (kind == AdaptiveKind::LION) {
      move = by.rate * ((m > 0) - (m < 0));
      if (std::isnan(m)) move = m;
      m = by.beta2 * s.m[i] + (1 - by.beta2) * d;
    } else {
      const double v = by.beta2 * s.v[i] + by.share2 * d * d;
      s.new_v[i] = static_cast<T>(v);
      double square = v;
      if (kind == AdaptiveKind::AMSGRAD) {
        square = s.greatest[i] < v || std::isnan(v) ? v : s.greatest[i];
        s.new_greatest[i] = static_cast<T>(square);
      }
      const double root = std::sqrt(square) * by.root_bias + by.epsilon;
      if (kind == AdaptiveKind::RMSPROP && s.m != nullptr) {
        m = by.beta1 * s.m[i] + d / root;
        move = by.rate * m;
      } else {
        move = (by.rate_m * m + by.rate_d * d) / root;
      }
    }
    if (s.m != nullptr) s.new_m[i] = static_cast<T>(m);
    s.new_parameter[i] = static_cast<T>(by.keep * s.parameter[i] - move);
  }
}

}  // namespace gatun::kernels::naive
