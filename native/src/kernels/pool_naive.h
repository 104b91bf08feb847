// Pooling as plain loops: the f64 path, and the oracle of the fast one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/pool.h"

namespace gatun::kernels::naive {

// Calls visit(index of y, index of x, tap) for each place of y and each tap of its window inside x.
template <typename Visit>
void for_each_tap(const PoolGeometry& g, Visit visit) {
  for (int64_t n = 0; n < g.images; ++n) {
    for (int64_t p = 0; p < g.h.places; ++p) {
      for (int64_t q = 0; q < g.w.places; ++q) {
        for (int64_t c = 0; c < g.channels; ++c) {
          const int64_t out = ((n * g.h.places + p) * g.w.places + q) * g.channels + c;
          for (int64_t r = 0; r < g.h.window; ++r) {
            for (int64_t s = 0; s < g.w.window; ++s) {
              const int64_t h = p * g.h.stride - g.h.pad + r, w = q * g.w.stride - g.w.pad + s;
              if (h < 0 || h >= g.h.size || w < 0 || w >= g.w.size) continue;
              const int64_t in = ((n * g.h.size + h) * g.w.size + w) * g.channels + c;
              visit(out, in, r * g.w.window + s);
            }
          }
        }
      }
    }
  }
}

inline int64_t input_count(const PoolGeometry& g) {
  return g.images * g.h.size * g.w.size * g.channels;
}

inline int64_t output_count(const PoolGeometry& g) {
  return g.images * g.h.places * g.w.places * g.channels;
}

template <typename T>
void max_pool(T* y, uint8_t* taps, const T* x, const PoolGeometry& g) {
  int64_t last = -1;  // the place whose first tap has been seen
  for_each_tap(g, [&](int64_t out, int64_t in, int64_t tap) {
    const bool first = out != last;
    last = out;
    if (first || x[in] > y[out] || (std::isnan(x[in]) && !std::isnan(y[out]))) {
      y[out] = x[in];
      taps[out] = static_cast<uint8_t>(tap);
    }
  });
}

template <typename T>
void max_pool_backward(T* dx, const T* dy, const uint8_t* taps, const PoolGeometry& g) {
  std::fill_n(dx, input_count(g), T{0});
  for_each_tap(g, [&](int64_t out, int64_t in, int64_t tap) {
    if (tap == taps[out]) dx[in] += dy[out];
  });
}

// How many elements the mean at `out` is taken over.
inline double window_count(const PoolGeometry& g, int64_t out) {
  const int64_t place = out / g.channels;
  return static_cast<double>(g.counted(place / g.w.places % g.h.places, place % g.w.places));
}

template <typename T>
void average_pool(T* y, const T* x, const PoolGeometry& g) {
  std::fill_n(y, output_count(g), T{0});
  for_each_tap(g, [&](int64_t out, int64_t in, int64_t) {
    y[out] += static_cast<T>(x[in] / window_count(g, out));
  });
}

template <typename T>
void average_pool_backward(T* dx, const T* dy, const PoolGeometry& g) {
  std::fill_n(dx, input_count(g), T{0});
  for_each_tap(g, [&](int64_t out, int64_t in, int64_t) {
    dx[in] += static_cast<T>(dy[out] / window_count(g, out));
  });
}

}  // namespace gatun::kernels::naive
