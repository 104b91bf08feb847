// Convolution as plain loops: the definition, the oracle of the tests, and the path of f64.
#pragma once

#include <algorithm>

#include "kernels/conv.h"

namespace gatun::kernels::naive {

// Channels-last: x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K].
struct ConvDims {
  int64_t N, H, W, C, K, R, S, P, Q;

  ConvDims(const Tensor& x, const Tensor& w, const Tensor& y)
      : N(x.dims[0]),
        H(x.dims[1]),
        W(x.dims[2]),
        C(x.dims[3]),
        K(w.dims[0]),
        R(w.dims[1]),
        S(w.dims[2]),
        P(y.dims[1]),
        Q(y.dims[2]) {}
};

template <typename T>
void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, Activation activation) {
  const ConvDims d(x, w, y);
  const int64_t channels = d.C / g.groups, filters = d.K / g.groups;  // of a group
  const T *px = x.as<T>(), *pw = w.as<T>(), *pb = bias == nullptr ? nullptr : bias->as<T>();
  T* py = y.as<T>();
  launcher.parallel(d.N * d.P, [=](const Context&, int64_t np) {
    const int64_t n = np / d.P, p = np % d.P;
    for (int64_t q = 0; q < d.Q; ++q)
      for (int64_t k = 0; k < d.K; ++k) {
        T sum = pb == nullptr ? T(0) : pb[k];
        for (int64_t r = 0; r < d.R; ++r)
          for (int64_t s = 0; s < d.S; ++s) {
            const int64_t h = p * g.stride_h - g.pad_h + r * g.dilation_h;
            const int64_t v = q * g.stride_w - g.pad_w + s * g.dilation_w;
            if (h < 0 || h >= d.H || v < 0 || v >= d.W) continue;
            const T* xs = px + ((n * d.H + h) * d.W + v) * d.C + k / filters * channels;
            const T* ws = pw + ((k * d.R + r) * d.S + s) * channels;
            for (int64_t c = 0; c < channels; ++c) sum += xs[c] * ws[c];
          }
        if (activation == Activation::RELU && sum < T(0)) sum = T(0);
        py[(np * d.Q + q) * d.K + k] = sum;
      }
  });
}

template <typename T>
void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g) {
  const ConvDims d(dx, w, dy);
  const int64_t channels = d.C / g.groups, filters = d.K / g.groups;
  const T *pdy = dy.as<T>(), *pw = w.as<T>();
  T* pdx = dx.as<T>();
  launcher.parallel(d.N * d.H, [=](const Context&, int64_t nh) {
    const int64_t n = nh / d.H, h = nh % d.H;
    T* row = pdx + nh * d.W * d.C;
    std::fill(row, row + d.W * d.C, T(0));
    for (int64_t r = 0; r < d.R; ++r) {
      const int64_t below = h + g.pad_h - r * g.dilation_h, p = below / g.stride_h;
      if (below < 0 || p >= d.P || p * g.stride_h != below) continue;
      for (int64_t q = 0; q < d.Q; ++q)
        for (int64_t s = 0; s < d.S; ++s) {
          const int64_t v = q * g.stride_w - g.pad_w + s * g.dilation_w;
          if (v < 0 || v >= d.W) continue;
          const T* dys = pdy + ((n * d.P + p) * d.Q + q) * d.K;
          for (int64_t k = 0; k < d.K; ++k) {
            T* to = row + v * d.C + k / filters * channels;
            const T* ws = pw + ((k * d.R + r) * d.S + s) * channels;
            for (int64_t c = 0; c < channels; ++c) to[c] += dys[k] * ws[c];
          }
        }
    }
  });
}

template <typename T>
void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g) {
  const ConvDims d(x, dw, dy);
  const int64_t channels = d.C / g.groups, filters = d.K / g.groups;
  const T *px = x.as<T>(), *pdy = dy.as<T>();
  T* pdw = dw.as<T>();
  launcher.parallel(d.K * d.R, [=](const Context&, int64_t kr) {
    const int64_t k = kr / d.R, r = kr % d.R;
    T* row = pdw + kr * d.S * channels;
    std::fill(row, row + d.S * channels, T(0));
    for (int64_t n = 0; n < d.N; ++n)
      for (int64_t p = 0; p < d.P; ++p) {
        const int64_t h = p * g.stride_h - g.pad_h + r * g.dilation_h;
        if (h < 0 || h >= d.H) continue;
        for (int64_t q = 0; q < d.Q; ++q) {
          const T dys = pdy[((n * d.P + p) * d.Q + q) * d.K + k];
          for (int64_t s = 0; s < d.S; ++s) {
            const int64_t v = q * g.stride_w - g.pad_w + s * g.dilation_w;
            if (v < 0 || v >= d.W) continue;
            const T* xs = px + ((n * d.H + h) * d.W + v) * d.C + k / filters * channels;
            for (int64_t c = 0; c < channels; ++c) row[s * channels + c] += dys * xs[c];
          }
        }
      }
  });
}

}  // namespace gatun::kernels::naive
