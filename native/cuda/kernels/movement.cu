// Instructions that move elements.
#include "cuda/kernels/kernels.h"
#include "kernels/convert.h"

namespace gatun::cuda {
namespace {

template <typename T>
__global__ void fill_kernel(Global<T> y, int64_t count, T value) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) y[i] = value;
}

template <typename To, typename From>
__global__ void convert_kernel(Global<To> y, Global<const From> x, int64_t count) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const From from = x[i];
    y[i] = gatun::kernels::convert<To>(from);
  }
}

// Where the elements of y lie in x, axis by axis from the last.
struct Strides {
  int32_t rank;
  int64_t dims[GT_MAX_RANK];
  int64_t strides[GT_MAX_RANK];

  __device__ int64_t locate(int64_t i) const {
    int64_t at = 0;
    for (int32_t axis = rank - 1; axis >= 0; --axis) {
      at += i % dims[axis] * strides[axis];
      i /= dims[axis];
    }
    return at;
  }
};

template <typename T>
__global__ void permute_kernel(Global<T> y, Global<const T> x, int64_t count, Strides axes) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) y[i] = x[axes.locate(i)];
}

// The sizes of x [N,H,W,C] and y [N,P,Q,K].
struct Subsampling {
  int64_t H, W, C, P, Q, K, stride;
};

template <typename T>
__global__ void subsample_kernel(Global<T> y, Global<const T> x, int64_t count, Subsampling s) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const int64_t k = i % s.K, q = i / s.K % s.Q, p = i / s.K / s.Q % s.P, n = i / s.K / s.Q / s.P;
    T value{};
    if (k < s.C) value = x[((n * s.H + p * s.stride) * s.W + q * s.stride) * s.C + k];
    y[i] = value;
  }
}

template <typename T>
__global__ void subsample_backward_kernel(Global<T> dx, Global<const T> dy, int64_t count,
                                          Subsampling s) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const int64_t c = i % s.C, w = i / s.C % s.W, h = i / s.C / s.W % s.H, n = i / s.C / s.W / s.H;
    T value{};
    if (h % s.stride == 0 && w % s.stride == 0) {
      value = dy[((n * s.P + h / s.stride) * s.Q + w / s.stride) * s.K + c];
    }
    dx[i] = value;
  }
}

Subsampling subsampling(const Tensor& x, const Tensor& y, int64_t stride) {
  return {x.dims[1], x.dims[2], x.dims[3], y.dims[1], y.dims[2], y.dims[3], stride};
}

}  // namespace

namespace kernels {

using gatun::kernels::with_type;

void fill(Queue& queue, const Tensor& y, double value) {
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(fill_kernel<T>, elements_grid(y.count), elements<T>(y), y.count,
                 gatun::kernels::convert<T>(value));
  });
}

void copy(Queue& queue, const Tensor& y, const Tensor& x) {
  if (y.data == x.data && y.dtype == x.dtype) return;
  with_type(y.dtype, [&](auto to) {
    with_type(x.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      queue.launch(convert_kernel<To, From>, elements_grid(y.count), elements<To>(y),
                   elements<const From>(x), y.count);
    });
  });
}

void permute(Queue& queue, const Tensor& y, const Tensor& x, const gatun::kernels::Axes& axes) {
  if (y.count == 0) return;
  int64_t x_strides[GT_MAX_RANK] = {};
  for (int32_t i = x.rank - 1; i >= 0; --i) {
    x_strides[i] = i == x.rank - 1 ? 1 : x_strides[i + 1] * x.dims[i + 1];
  }
  Strides strides{y.rank, {}, {}};
  for (int32_t i = 0; i < y.rank; ++i) {
    strides.dims[i] = y.dims[i];
    strides.strides[i] = x_strides[axes[i]];
  }
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(permute_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(x),
                 y.count, strides);
  });
}

void subsample_pad(Queue& queue, const Tensor& y, const Tensor& x, int64_t stride) {
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(subsample_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(x),
                 y.count, subsampling(x, y, stride));
  });
}

void subsample_pad_backward(Queue& queue, const Tensor& dx, const Tensor& dy, int64_t stride) {
  with_type(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(subsample_backward_kernel<T>, elements_grid(dx.count), elements<T>(dx),
                 elements<const T>(dy), dx.count, subsampling(dx, dy, stride));
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
