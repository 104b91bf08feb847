// Instructions that move elements.
#include <bit>
#include <type_traits>

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

// What is moved without a look at it: as many bits, whatever they mean.
template <int bytes>
struct Bits;
template <>
struct Bits<1> {
  using Type = uint8_t;
};
template <>
struct Bits<2> {
  using Type = uint16_t;
};
template <>
struct Bits<4> {
  using Type = uint32_t;
};
template <>
struct Bits<8> {
  using Type = uint64_t;
};
template <typename T>
using BitsOf = typename Bits<sizeof(T)>::Type;

// Calls f with a number of as many bits as the type has.
template <typename F>
void with_bits(DType dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

// What training converts; the other pairs are taken element by element.
template <typename To, typename From>
constexpr bool kOften = (std::is_same_v<To, float> &&
                         (std::is_same_v<From, Bf16> || std::is_same_v<From, uint8_t>)) ||
                        (std::is_same_v<To, Bf16> && std::is_same_v<From, float>);

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

// How the axes of y lie in x, neighbours that stay together as one.
struct Axes {
  int32_t rank = 0;
  int64_t dims[GT_MAX_RANK] = {};
  int64_t strides[GT_MAX_RANK] = {};  // in x

  Axes(const Tensor& y, const Tensor& x, const gatun::kernels::Axes& axes) {
    int64_t x_strides[GT_MAX_RANK] = {};
    int64_t stride = 1;
    for (int32_t i = x.rank - 1; i >= 0; --i) {
      x_strides[i] = stride;
      stride *= x.dims[i];
    }
    for (int32_t i = 0; i < y.rank; ++i) {
      if (y.dims[i] == 1) continue;
      const bool goes_on = rank > 0 && strides[rank - 1] == x_strides[axes[i]] * y.dims[i];
      if (!goes_on) dims[rank++] = 1;
      dims[rank - 1] *= y.dims[i];
      strides[rank - 1] = x_strides[axes[i]];
    }
  }
  // Where neighbours in x lie in y; none for a single element.
  int32_t innermost_of_x() const {
    for (int32_t i = 0; i < rank; ++i) {
      if (strides[i] == 1) return i;
    }
    return -1;
  }
};

// Neighbours stay neighbours: packs of rows that lie elsewhere.
template <typename T>
struct MoveRows {
  Global<T> y;
  Global<const T> x;
  int32_t rank;
  Divisor dims[GT_MAX_RANK];
  int64_t strides[GT_MAX_RANK];

  template <int N>
  __device__ void at(int64_t i) const {
    int64_t rest = i, from = 0;
    for (int32_t axis = rank - 1; axis >= 0; --axis) from += dims[axis].split(rest) * strides[axis];
    y.template store<N>(i, x.template load<N>(from));
  }
};

// Two axes that change places: neighbours in x along one, `x_size` of them, neighbours in y along
// the other. The other axes number the pictures.
template <typename T>
struct Transpose {
  Global<T> y;
  Global<const T> x;
  int64_t x_size, y_size;
  int64_t stride_in_x, stride_in_y;  // of the axis that is innermost in the other one
  int64_t x_tiles, y_tiles;
  int32_t rank;  // of the pictures' axes
  Divisor dims[GT_MAX_RANK];
  int64_t x_strides[GT_MAX_RANK], y_strides[GT_MAX_RANK];
};

constexpr int kTile = 32;
constexpr int kTileRows = 8;

// A block turns a tile of 32 x 32 through shared memory, so that both sides are read and written
// along their rows.
template <typename T>
__global__ void transpose_kernel(Transpose<T> t) {
  using Stored = std::conditional_t<sizeof(T) == 1, uint16_t, T>;
  GATUN_SHARED(Stored, tile, kTile * (kTile + 1));
  int64_t block = blockIdx.x, in_x = 0, in_y = 0;
  const int64_t x_begin = block % t.x_tiles * kTile;
  block /= t.x_tiles;
  const int64_t y_begin = block % t.y_tiles * kTile;
  block /= t.y_tiles;
  for (int32_t axis = t.rank - 1; axis >= 0; --axis) {
    const int64_t at = t.dims[axis].split(block);
    in_x += at * t.x_strides[axis];
    in_y += at * t.y_strides[axis];
  }
  const int column = lane(), first = warp();
  for (int row = first; row < kTile; row += kTileRows) {
    if (x_begin + column >= t.x_size || y_begin + row >= t.y_size) continue;
    tile[row * (kTile + 1) + column] =
        static_cast<Stored>(T(t.x[in_x + x_begin + column + (y_begin + row) * t.stride_in_x]));
  }
  barrier();
  for (int row = first; row < kTile; row += kTileRows) {
    if (y_begin + column >= t.y_size || x_begin + row >= t.x_size) continue;
    t.y[in_y + y_begin + column + (x_begin + row) * t.stride_in_y] =
        static_cast<T>(Stored(tile[column * (kTile + 1) + row]));
  }
}

// Rows of `size` elements, part of longer ones: in y from element `in_y` of each row on, in x from
// `in_x` on, or zeros.
template <typename T>
struct MoveStrip {
  Global<T> y;
  Global<const T> x;
  bool is_zero;
  Divisor size;
  int64_t y_row, in_y;
  int64_t x_row, in_x;

  template <int N>
  __device__ void at(int64_t i) const {
    int64_t row = i;
    const int64_t column = size.split(row);
    Pack<T, N> pack{};
    if (!is_zero) pack = x.template load<N>(row * x_row + in_x + column);
    y.template store<N>(row * y_row + in_y + column, pack);
  }
};

// How many elements a row has along the axes from `axis` on.
int64_t row_of(const Tensor& tensor, int32_t axis) {
  int64_t count = 1;
  for (int32_t i = axis; i < tensor.rank; ++i) count *= tensor.dims[i];
  return count;
}

// `size` elements of each row of y, all tensors cut into rows along the axes from `axis` on; from x
// if there is one.
void move_strip(Queue& queue, const Tensor& y, const Tensor* x, int32_t axis, int64_t size,
                int64_t in_y, int64_t in_x) {
  if (size == 0) return;
  const int64_t y_row = row_of(y, axis), x_row = x == nullptr ? 0 : row_of(*x, axis);
  const int64_t rows = y.count / y_row;
  if (x != nullptr && rows == 1) {  // which may begin and end anywhere
    const int64_t element = size_of(y.dtype);
    return queue.copy(
        {y.as<std::byte>() + in_y * element, x->as<std::byte>() + in_x * element, size * element});
  }
  with_bits(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const bool packed =
        are_aligned({&y, x}) && (size | in_y | y_row | in_x | x_row) % kPackOf<T> == 0;
    const MoveStrip<T> work{elements<T>(y), elements<const T>(x == nullptr ? y : *x),
                            x == nullptr,   Divisor(size),
                            y_row,          in_y,
                            x_row,          in_x};
    launch_work<T>(queue, rows * size, packed, work);
  });
}

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
    using Bits = BitsOf<T>;
    const Bits bits = std::bit_cast<Bits>(gatun::kernels::convert<T>(value));
    launch_work<Bits>(queue, y.count, are_aligned({&y}), Fill<Bits>{elements<Bits>(y), bits});
  });
}

void copy(Queue& queue, const Tensor& y, const Tensor& x) {
  if (y.dtype == x.dtype) {
    if (y.data == x.data) return;
    return with_bits(y.dtype, [&](auto zero) {
      using Bits = decltype(zero);
      launch_work<Bits>(queue, y.count, are_aligned({&y, &x}),
                        Convert<Bits, Bits>{elements<Bits>(y), elements<const Bits>(x)});
    });
  }
  with_type(y.dtype, [&](auto to) {
    with_type(x.dtype, [&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      const Convert<To, From> work{elements<To>(y), elements<const From>(x)};
      if constexpr (kOften<To, From>) {
        launch_work<float>(queue, y.count, are_aligned({&y, &x}), work);
      } else if constexpr (!std::is_same_v<To, From>) {
        queue.launch(work_kernel<1, Convert<To, From>>, elements_grid(y.count), work, y.count);
      }
    });
  });
}

void permute(Queue& queue, const Tensor& y, const Tensor& x, const gatun::kernels::Axes& order) {
  if (y.count == 0) return;
  const Axes axes(y, x, order);
  const int32_t last = axes.rank - 1, inner = axes.innermost_of_x();
  with_bits(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (inner == last) {
      MoveRows<T> work{elements<T>(y), elements<const T>(x), axes.rank, {}, {}};
      for (int32_t i = 0; i < axes.rank; ++i) {
        work.dims[i] = Divisor(axes.dims[i]);
        work.strides[i] = axes.strides[i];
      }
      const bool packed = axes.rank <= 1 || axes.dims[last] % kPackOf<T> == 0;
      return launch_work<T>(queue, y.count, packed && are_aligned({&y, &x}), work);
    }
    Transpose<T> work{elements<T>(y),
                      elements<const T>(x),
                      axes.dims[inner],
                      axes.dims[last],
                      axes.strides[last],
                      1,
                      0,
                      0,
                      0,
                      {},
                      {},
                      {}};
    int64_t pictures = 1, y_stride = 1;
    for (int32_t i = last; i >= 0; --i) {
      if (i == inner) work.stride_in_y = y_stride;
      y_stride *= axes.dims[i];
    }
    for (int32_t i = 0; i < axes.rank; ++i) {
      y_stride /= axes.dims[i];
      if (i == inner || i == last) continue;
      work.dims[work.rank] = Divisor(axes.dims[i]);
      work.x_strides[work.rank] = axes.strides[i];
      work.y_strides[work.rank++] = y_stride;
      pictures *= axes.dims[i];
    }
    work.x_tiles = (work.x_size + kTile - 1) / kTile;
    work.y_tiles = (work.y_size + kTile - 1) / kTile;
    const auto blocks = static_cast<uint32_t>(pictures * work.x_tiles * work.y_tiles);
    queue.launch(transpose_kernel<T>, Grid{{blocks}, {kTile * kTileRows}}, work);
  });
}

void slice(Queue& queue, const Tensor& y, const Tensor& x, int32_t axis, int64_t begin) {
  if (y.count == 0) return;
  move_strip(queue, y, &x, axis, row_of(y, axis), 0, begin * row_of(x, axis + 1));
}

void concat(Queue& queue, const Tensor& y, std::span<const Tensor> inputs, int32_t axis,
            int64_t begin) {
  if (y.count == 0) return;
  int64_t in_y = begin * row_of(y, axis + 1);
  move_strip(queue, y, nullptr, axis, in_y, 0, 0);
  for (const Tensor& input : inputs) {
    const int64_t size = row_of(input, axis);
    move_strip(queue, y, &input, axis, size, in_y, 0);
    in_y += size;
  }
  move_strip(queue, y, nullptr, axis, row_of(y, axis) - in_y, in_y, 0);
}

void subsample_pad(Queue& queue, const Tensor& y, const Tensor& x, int64_t stride) {
  if (y.count == 0) return;
  with_bits(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Subsample<T> work{elements<T>(y), elements<const T>(x), {x, y, stride}};
    launch_work<T>(queue, y.count, are_aligned({&y, &x}) && work.s.takes_packs(kPackOf<T>), work);
  });
}

void subsample_pad_backward(Queue& queue, const Tensor& dx, const Tensor& dy, int64_t stride) {
  if (dx.count == 0) return;
  with_bits(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const SubsampleBackward<T> work{elements<T>(dx), elements<const T>(dy), {dx, dy, stride}};
    launch_work<T>(queue, dx.count, are_aligned({&dx, &dy}) && work.s.takes_packs(kPackOf<T>),
                   work);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
