// The matrix product as plain loops: the definition, the oracle of the tests, and the path of f64.
#pragma once

#include "kernels/matmul.h"

namespace gatun::kernels::naive {

template <typename T>
void matmul(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
            const Tensor* bias, MatmulLayout layout, Activation activation) {
  const int64_t M = y.dims[0], N = y.dims[1], K = layout.transpose_a ? a.dims[0] : a.dims[1];
  const int64_t a_row = layout.transpose_a ? 1 : K, a_step = layout.transpose_a ? M : 1;
  const int64_t b_row = layout.transpose_b ? 1 : N, b_step = layout.transpose_b ? K : 1;
  const T *pa = a.as<T>(), *pb = b.as<T>(), *pbias = bias == nullptr ? nullptr : bias->as<T>();
  T* py = y.as<T>();
  launcher.parallel(M, [=](const Context&, int64_t i) {
    for (int64_t j = 0; j < N; ++j) {
      T sum = pbias == nullptr ? T(0) : pbias[j];
      for (int64_t k = 0; k < K; ++k)
        sum += pa[i * a_row + k * a_step] * pb[k * b_row + j * b_step];
      if (activation == Activation::RELU && sum < T(0)) sum = T(0);
      py[i * N + j] = sum;
    }
  });
}

}  // namespace gatun::kernels::naive
