// Instructions that move elements.
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/packs.h"
#include "kernels/convert.h"

namespace gatun::cuda {
namespace {

template <typename T>
struct Fill {
  Global<T> y;
  T value;

  template <int N>
  __device__ void at(int64_t i) const {
    Pack<T, N> pack;
    for (int k = 0; k < N; ++k) pack.values[k] = value;
    y.template store<N>(i, pack);
  }
};

template <typename To, typename From>
struct Convert {
  Global<To> y;
  Global<const From> x;

  template <int N>
  __device__ void at(int64_t i) const {
    const Pack<From, N> from = x.template load<N>(i);
    Pack<To, N> to;
    for (int k = 0; k < N; ++k) to.values[k] = gatun::kernels::convert<To>(from.values[k]);
    y.template store<N>(i, to);
  }
};

// An element of y, and where it lies in x: axis by axis from the last.
template <typename T>
struct Permute {
  Global<T> y;
  Global<const T> x;
  int32_t rank;
  Divisor dims[GT_MAX_RANK];
  int64_t strides[GT_MAX_RANK];

  template <int N>
  __device__ void at(int64_t i) const {
    static_assert(N == 1);
    int64_t rest = i, from = 0;
    for (int32_t axis = rank - 1; axis >= 0; --axis) from += dims[axis].split(rest) * strides[axis];
    y[i] = x[from];
  }
};

// The sizes of x [N,H,W,C] and y [N,P,Q,K].
struct Subsampling {
  int64_t H, W, C, P, Q, K, stride;
  Divisor by_H, by_W, by_C, by_P, by_Q, by_K, by_stride;

  Subsampling(const Tensor& x, const Tensor& y, int64_t stride)
      : H(x.dims[1]),
        W(x.dims[2]),
        C(x.dims[3]),
        P(y.dims[1]),
        Q(y.dims[2]),
        K(y.dims[3]),
        stride(stride),
        by_H(H),
        by_W(W),
        by_C(C),
        by_P(P),
        by_Q(Q),
        by_K(K),
        by_stride(stride) {}
  // Packs neither reach over the last channel nor lie half in what is padded.
  bool takes_packs(int64_t size) const { return C % size == 0 && K % size == 0; }
};

template <typename T>
struct Subsample {
  Global<T> y;
  Global<const T> x;
  Subsampling s;

  template <int N>
  __device__ void at(int64_t i) const {
    int64_t n = i;
    const int64_t k = s.by_K.split(n), q = s.by_Q.split(n), p = s.by_P.split(n);
    Pack<T, N> pack{};
    if (k < s.C) {
      pack = x.template load<N>(((n * s.H + p * s.stride) * s.W + q * s.stride) * s.C + k);
    }
    y.template store<N>(i, pack);
  }
};

template <typename T>
struct SubsampleBackward {
  Global<T> dx;
  Global<const T> dy;
  Subsampling s;

  template <int N>
  __device__ void at(int64_t i) const {
    int64_t n = i;
    const int64_t c = s.by_C.split(n);
    int64_t q = s.by_W.split(n), p = s.by_H.split(n);
    const bool seen = s.by_stride.split(q) == 0 && s.by_stride.split(p) == 0;
    Pack<T, N> pack{};
    if (seen) pack = dy.template load<N>(((n * s.P + p) * s.Q + q) * s.K + c);
    dx.template store<N>(i, pack);
  }
};

}  // namespace

namespace kernels {

using gatun::kernels::with_type;

void fill(Queue& queue, const Tensor& y, double value) {
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(queue, y.count, are_aligned({&y}),
                   Fill<T>{elements<T>(y), gatun::kernels::convert<T>(value)});
  });
}

void copy(Queue& queue, const Tensor& y, const Tensor& x) {
  if (y.data == x.data && y.dtype == x.dtype) return;
  with_type(y.dtype, [&](auto to) {
    with_type(x.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      using Large = std::conditional_t<sizeof(To) < sizeof(From), From, To>;
      launch_work<Large>(queue, y.count, are_aligned({&y, &x}),
                         Convert<To, From>{elements<To>(y), elements<const From>(x)});
    });
  });
}

void permute(Queue& queue, const Tensor& y, const Tensor& x, const gatun::kernels::Axes& axes) {
  if (y.count == 0) return;
  int64_t x_strides[GT_MAX_RANK] = {};
  for (int32_t i = x.rank - 1; i >= 0; --i) {
    x_strides[i] = i == x.rank - 1 ? 1 : x_strides[i + 1] * x.dims[i + 1];
  }
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    Permute<T> work{elements<T>(y), elements<const T>(x), y.rank, {}, {}};
    for (int32_t i = 0; i < y.rank; ++i) {
      work.dims[i] = Divisor(y.dims[i]);
      work.strides[i] = x_strides[axes[i]];
    }
    queue.launch(work_kernel<1, Permute<T>>, elements_grid(y.count), work, y.count);
  });
}

void subsample_pad(Queue& queue, const Tensor& y, const Tensor& x, int64_t stride) {
  if (y.count == 0) return;
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Subsample<T> work{elements<T>(y), elements<const T>(x), {x, y, stride}};
    launch_work<T>(queue, y.count, are_aligned({&y, &x}) && work.s.takes_packs(kPackOf<T>), work);
  });
}

void subsample_pad_backward(Queue& queue, const Tensor& dx, const Tensor& dy, int64_t stride) {
  if (dx.count == 0) return;
  with_type(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const SubsampleBackward<T> work{elements<T>(dx), elements<const T>(dy), {dx, dy, stride}};
    launch_work<T>(queue, dx.count, are_aligned({&dx, &dy}) && work.s.takes_packs(kPackOf<T>),
                   work);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
