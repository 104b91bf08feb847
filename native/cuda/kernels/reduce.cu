// Sums, means and maxima along axes, and the place of the maximum. Everything is summed in f64, in
// an order that the shape decides.
#include <limits>

#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Reduction;

// Axes of x, from the first; an index over them becomes an offset in x.
struct Walk {
  int32_t rank = 0;
  int64_t count = 1;
  int64_t dims[GT_MAX_RANK] = {};
  int64_t strides[GT_MAX_RANK] = {};

  void push(int64_t dim, int64_t stride) {
    dims[rank] = dim;
    strides[rank++] = stride;
    count *= dim;
  }
  __device__ int64_t offset(int64_t i) const {
    int64_t at = 0;
    for (int32_t k = rank - 1; k >= 0; --k) {
      at += i % dims[k] * strides[k];
      i /= dims[k];
    }
    return at;
  }
};

__device__ double combine(Reduction op, double result, double x) {
  if (op != Reduction::MAX) return result + x;
  return x > result || math::is_nan(x) ? x : result;
}

__device__ double start_of(Reduction op) { return op == Reduction::MAX ? -INFINITY : 0.0; }

constexpr int kThreads = 128;

// All threads of the block call it; the result is the first thread's.
__device__ double combine_block(Reduction op, double value) {
  GATUN_SHARED(double, of_warps, kThreads / kWarp);
  for (int by = kWarp / 2; by > 0; by /= 2) value = combine(op, value, shuffle_down(value, by));
  if (lane() == 0) of_warps[warp()] = value;
  barrier();
  if (threadIdx.x == 0) {
    for (int w = 1; w < kThreads / kWarp; ++w) value = combine(op, value, of_warps[w]);
  }
  return value;
}

// A block for each result and unit: elements unit * length .. of what is reduced, to results
// [result, unit].
template <typename To, typename From>
__global__ void reduce_kernel(Global<To> results, Global<const From> x, Walk kept, Walk reduced,
                              int64_t units, int64_t length, Reduction op, double divisor) {
  const int64_t result = blockIdx.x / units, unit = blockIdx.x % units;
  const int64_t begin = unit * length;
  const int64_t end = begin + length < reduced.count ? begin + length : reduced.count;
  const Global<const From> from = x.at(kept.offset(result));
  double value = start_of(op);
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    value = combine(op, value, static_cast<double>(from[reduced.offset(i)]));
  }
  value = combine_block(op, value);
  if (threadIdx.x == 0) results[blockIdx.x] = static_cast<To>(value / divisor);
}

// Neighbouring results lie side by side in x: a thread for each reads whole rows with the others.
template <typename To, typename From>
__global__ void reduce_columns_kernel(Global<To> results, Global<const From> x, Walk kept,
                                      Walk reduced, int64_t units, int64_t length, Reduction op,
                                      double divisor) {
  const int64_t at = grid_thread();
  if (at >= kept.count * units) return;
  const int64_t result = at % kept.count, unit = at / kept.count;
  const int64_t begin = unit * length;
  const int64_t end = begin + length < reduced.count ? begin + length : reduced.count;
  const Global<const From> from = x.at(kept.offset(result));
  double value = start_of(op);
  for (int64_t i = begin; i < end; ++i) {
    value = combine(op, value, static_cast<double>(from[reduced.offset(i)]));
  }
  results[result * units + unit] = static_cast<To>(value / divisor);
}

template <typename T>
__device__ bool is_before(T x, int64_t place, T other, int64_t other_place) {
  if (math::is_nan(x) != math::is_nan(other)) return math::is_nan(x);
  if (!math::is_nan(x) && x != other) return x > other;
  return place < other_place;
}

// A warp for each row.
template <typename T>
__global__ void argmax_kernel(Global<int32_t> y, Global<const T> x, int64_t rows, int64_t length) {
  const int64_t row = int64_t{blockIdx.x} * (kThreads / kWarp) + warp();
  if (row >= rows) return;  // the whole warp
  int64_t place = lane() < length ? lane() : 0;
  T best = x[row * length + place];
  for (int64_t i = place + kWarp; i < length; i += kWarp) {
    const T other = x[row * length + i];
    if (is_before(other, i, best, place)) {
      best = other;
      place = i;
    }
  }
  for (int by = kWarp / 2; by > 0; by /= 2) {
    const T other = shuffle_xor(best, by);
    const int64_t other_place = shuffle_xor(place, by);
    if (is_before(other, other_place, best, place)) {
      best = other;
      place = other_place;
    }
  }
  if (lane() == 0) y[row] = static_cast<int32_t>(place);
}

// Neighbouring axes of one kind as one, without those of size 1.
void split_axes(const Tensor& x, uint32_t axes, Walk& kept, Walk& reduced) {
  int64_t stride = x.count;
  int former = -1;
  for (int32_t axis = 0; axis < x.rank; ++axis) {
    const int64_t dim = x.dims[axis];
    stride /= dim;
    if (dim == 1) continue;
    const int kind = static_cast<int>(axes >> axis & 1);
    Walk& walk = kind == 1 ? reduced : kept;
    if (kind == former) {
      walk.dims[walk.rank - 1] *= dim;
      walk.strides[walk.rank - 1] = stride;
      walk.count *= dim;
    } else {
      walk.push(dim, stride);
    }
    former = kind;
  }
}

}  // namespace

namespace kernels {

void reduce(Queue& queue, const Tensor& y, const Tensor& x, Reduction op, uint32_t axes) {
  if (y.count == 0) return;
  if (x.count == 0) {  // a sum or a mean of nothing
    return fill(queue, y, op == Reduction::MEAN ? std::numeric_limits<double>::quiet_NaN() : 0.0);
  }
  Walk kept, reduced;
  split_axes(x, axes, kept, reduced);
  const bool columns = kept.rank > 0 && kept.strides[kept.rank - 1] == 1;
  const double divisor = op == Reduction::MEAN ? static_cast<double>(reduced.count) : 1.0;
  const int64_t length = columns ? 256 : 16 * 1024;
  const int64_t units = (reduced.count + length - 1) / length;
  const auto blocks = [](int64_t count) {
    return Grid{{static_cast<uint32_t>(count)}, {kThreads}};
  };
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Global<T> to = elements<T>(y);
    const Global<const T> from = elements<const T>(x);
    const auto launch = [&](auto results, double by) {
      using To = std::remove_reference_t<decltype(*results.data)>;
      if (columns) {
        queue.launch(reduce_columns_kernel<To, T>,
                     blocks((y.count * units + kThreads - 1) / kThreads), results, from, kept,
                     reduced, units, length, op, by);
      } else {
        queue.launch(reduce_kernel<To, T>, blocks(y.count * units), results, from, kept, reduced,
                     units, length, op, by);
      }
    };
    if (units == 1) return launch(to, divisor);
    const Global<double> partial = queue.scratch<double>(y.count * units);
    launch(partial, 1.0);
    Walk results, parts;
    results.push(y.count, units);
    parts.push(units, 1);
    queue.launch(reduce_kernel<T, double>, blocks(y.count), to, Global<const double>(partial),
                 results, parts, int64_t{1}, units, op, divisor);
  });
}

void argmax(Queue& queue, const Tensor& y, const Tensor& x) {
  if (y.count == 0) return;
  constexpr int64_t kRows = kThreads / kWarp;
  const Grid grid{{static_cast<uint32_t>((y.count + kRows - 1) / kRows)}, {kThreads}};
  with_real(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(argmax_kernel<T>, grid, elements<int32_t>(y), elements<const T>(x), y.count,
                 x.count / y.count);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
