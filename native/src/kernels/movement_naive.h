// Movement as plain loops: the oracle of the tests.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/tensor.h"
#include "kernels/movement.h"

namespace gatun::kernels::naive {

template <typename T>
void permute(const Tensor& y, const Tensor& x, const Axes& axes) {
  std::array<int64_t, GT_MAX_RANK> x_strides{};
  for (int64_t i = x.rank - 1, stride = 1; i >= 0; --i) {
    x_strides[i] = stride;
    stride *= x.dims[i];
  }
  for (int64_t i = 0; i < y.count; ++i) {
    int64_t rest = i, from = 0;
    for (int32_t axis = y.rank - 1; axis >= 0; --axis) {
      from += rest % y.dims[axis] * x_strides[axes[axis]];
      rest /= y.dims[axis];
    }
    y.as<T>()[i] = x.as<T>()[from];
  }
}

// The row-major index in `tensor` of element `i` of `walked`, moved along `axis` by `offset`; -1
// where the tensor has none. But for the axis, both have the same extents.
inline int64_t moved(const Tensor& walked, int64_t i, const Tensor& tensor, int32_t axis,
                     int64_t offset) {
  int64_t index = 0, stride = 1;
  for (int32_t k = walked.rank - 1; k >= 0; --k) {
    const int64_t at = i % walked.dims[k] + (k == axis ? offset : 0);
    i /= walked.dims[k];
    if (at < 0 || at >= tensor.dims[k]) return -1;
    index += at * stride;
    stride *= tensor.dims[k];
  }
  return index;
}

template <typename T>
void slice(const Tensor& y, const Tensor& x, int32_t axis, int64_t begin) {
  for (int64_t i = 0; i < y.count; ++i) y.as<T>()[i] = x.as<T>()[moved(y, i, x, axis, begin)];
}

template <typename T>
void concat(const Tensor& y, std::span<const Tensor> inputs, int32_t axis, int64_t begin) {
  for (int64_t i = 0; i < y.count; ++i) {
    y.as<T>()[i] = T{0};
    int64_t start = begin;
    for (const Tensor& input : inputs) {
      const int64_t from = moved(y, i, input, axis, -start);
      if (from >= 0) y.as<T>()[i] = input.as<T>()[from];
      start += input.dims[axis];
    }
  }
}

// x [N,H,W,C], y [N,P,Q,K]
template <typename T>
void subsample_pad(const Tensor& y, const Tensor& x, int64_t stride) {
  const auto [N, P, Q, K] = std::array{y.dims[0], y.dims[1], y.dims[2], y.dims[3]};
  const auto [H, W, C] = std::array{x.dims[1], x.dims[2], x.dims[3]};
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t p = 0; p < P; ++p) {
      for (int64_t q = 0; q < Q; ++q) {
        for (int64_t k = 0; k < K; ++k) {
          y.as<T>()[((n * P + p) * Q + q) * K + k] =
              k < C ? x.as<T>()[((n * H + p * stride) * W + q * stride) * C + k] : T{0};
        }
      }
    }
  }
}

// dx [N,H,W,C], dy [N,P,Q,K]
template <typename T>
void subsample_pad_backward(const Tensor& dx, const Tensor& dy, int64_t stride) {
  const auto [N, H, W, C] = std::array{dx.dims[0], dx.dims[1], dx.dims[2], dx.dims[3]};
  const auto [P, Q, K] = std::array{dy.dims[1], dy.dims[2], dy.dims[3]};
  for (int64_t i = 0; i < dx.count; ++i) dx.as<T>()[i] = T{0};
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t p = 0; p < P; ++p) {
      for (int64_t q = 0; q < Q; ++q) {
        for (int64_t c = 0; c < C; ++c) {
          dx.as<T>()[((n * H + p * stride) * W + q * stride) * C + c] =
              dy.as<T>()[((n * P + p) * Q + q) * K + c];
        }
      }
    }
  }
}

}  // namespace gatun::kernels::naive
