// Functions of one and two operands, element by element.
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Binary;
using gatun::kernels::Unary;

template <typename T>
__device__ T apply(Unary op, T x) {
  switch (op) {
    case Unary::NEGATE:
      return -x;
    case Unary::ABS:
      return math::abs(x);
    case Unary::SQUARE:
      return x * x;
    case Unary::SQRT:
      return math::sqrt(x);
    case Unary::EXP:
      return math::exp(x);
    case Unary::LOG:
      return math::log(x);
    case Unary::RELU:
      return x < 0 ? T{0} : x;
    case Unary::SIGMOID:
      return 1 / (1 + math::exp(-x));
    case Unary::TANH:
      return math::tanh(x);
    case Unary::SIGN:
      return x > 0 ? T{1} : x < 0 ? T{-1} : x;
  }
  return x;
}

template <typename T>
__device__ T apply(Binary op, T a, T b) {
  switch (op) {
    case Binary::ADD:
      return a + b;
    case Binary::SUBTRACT:
      return a - b;
    case Binary::MULTIPLY:
      return a * b;
    case Binary::DIVIDE:
      return a / b;
    case Binary::MAXIMUM:  // a NaN wins
      return math::is_nan(a) || a > b ? a : b;
    case Binary::MINIMUM:
      return math::is_nan(a) || a < b ? a : b;
    case Binary::GATE:
      return b > 0 ? a : T{0};
  }
  return a;
}

template <typename T>
__global__ void unary_kernel(Global<T> y, Global<const T> x, int64_t count, Unary op) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    y[i] = narrow<T>(apply(op, widen(x[i])));
  }
}

template <typename T>
__global__ void affine_kernel(Global<T> y, Global<const T> x, int64_t count, WideOf<T> scale,
                              WideOf<T> shift) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    y[i] = narrow<T>(scale * widen(x[i]) + shift);
  }
}

// How far apart y's neighbours along each axis lie in the operands: 0 where one repeats.
struct Broadcast {
  int32_t rank;
  int64_t dims[GT_MAX_RANK];
  int64_t a_strides[GT_MAX_RANK];
  int64_t b_strides[GT_MAX_RANK];
};

void set_strides(int64_t* strides, const Tensor& operand, const Tensor& y) {
  int64_t stride = 1;
  for (int32_t k = 1; k <= y.rank; ++k) {
    const int64_t dim = k <= operand.rank ? operand.dims[operand.rank - k] : 1;
    strides[y.rank - k] = dim == 1 ? 0 : stride;
    stride *= dim;
  }
}

template <typename T>
__global__ void binary_kernel(Global<T> y, Global<const T> a, Global<const T> b, int64_t count,
                              Binary op, Broadcast shape) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    int64_t rest = i, in_a = 0, in_b = 0;
    for (int32_t axis = shape.rank - 1; axis >= 0; --axis) {
      const int64_t at = rest % shape.dims[axis];
      rest /= shape.dims[axis];
      in_a += at * shape.a_strides[axis];
      in_b += at * shape.b_strides[axis];
    }
    y[i] = narrow<T>(apply(op, widen(a[in_a]), widen(b[in_b])));
  }
}

}  // namespace

namespace kernels {

void unary(Queue& queue, const Tensor& y, const Tensor& x, Unary op) {
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(unary_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(x),
                 y.count, op);
  });
}

void affine(Queue& queue, const Tensor& y, const Tensor& x, double scale, double shift) {
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    queue.launch(affine_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(x),
                 y.count, static_cast<W>(scale), static_cast<W>(shift));
  });
}

void binary(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, Binary op) {
  Broadcast shape{y.rank, {}, {}, {}};
  for (int32_t i = 0; i < y.rank; ++i) shape.dims[i] = y.dims[i];
  set_strides(shape.a_strides, a, y);
  set_strides(shape.b_strides, b, y);
  if (a.count == y.count && b.count == y.count) {  // the usual case: no division
    shape = {1, {y.count}, {1}, {1}};
  }
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(binary_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(a),
                 elements<const T>(b), y.count, op, shape);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
