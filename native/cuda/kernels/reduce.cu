// Sums, means and maxima along axes, and the place of the maximum. Everything is summed in f64, in
// an order that the shape decides.
#include <algorithm>
#include <limits>

#include "cuda/kernels/block.h"
#include "cuda/kernels/channels.h"
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Reduction;

// Axes of x, from the first; an index over them becomes an offset in x.
struct Walk {
  int32_t rank = 0;
  int64_t count = 1;
  int64_t dims[GT_MAX_RANK] = {};
  int64_t strides[GT_MAX_RANK] = {};
  Divisor by[GT_MAX_RANK];

  void push(int64_t dim, int64_t stride) {
    strides[rank] = stride;
    dims[rank++] = 1;
    lengthen(dim);
  }
  // By a following axis.
  void lengthen(int64_t by_dim) {
    dims[rank - 1] *= by_dim;
    by[rank - 1] = Divisor(dims[rank - 1]);
    count *= by_dim;
  }
  __device__ int64_t offset(int64_t i) const {
    int64_t at = 0;
    for (int32_t k = rank - 1; k >= 0; --k) at += by[k].split(i) * strides[k];
    return at;
  }
};

__device__ double combine(Reduction op, double result, double x) {
  if (op != Reduction::MAX) return result + x;
  return x > result || math::is_nan(x) ? x : result;
}

__device__ double start_of(Reduction op) { return op == Reduction::MAX ? -INFINITY : 0.0; }

// What a long row is cut into.
constexpr int64_t kUnit = 16 * 1024;

// A team for each row and unit of it, to results [rows, units].
template <int N, int kTeam, typename To, typename From>
__global__ void reduce_rows_kernel(Global<To> results, Global<const From> x, int64_t rows,
                                   int64_t length, int64_t units, Reduction op, double divisor) {
  const int64_t work = Team<kTeam>::row();
  if (work >= rows * units) return;  // the whole team
  const int64_t begin = work % units * kUnit;
  const int64_t end = begin + kUnit < length ? begin + kUnit : length;
  const Global<const From> row = x.at(work / units * length);
  double value = start_of(op);
  for (int64_t i = begin + Team<kTeam>::member() * N; i < end; i += kTeam * N) {
    const Pack<From, N> pack = row.template load<N>(i);
    for (int k = 0; k < N; ++k) value = combine(op, value, static_cast<double>(pack.values[k]));
  }
  value = Team<kTeam>::combine(value, [=](double a, double b) { return combine(op, a, b); });
  if (Team<kTeam>::member() == 0) results[work] = static_cast<To>(value / divisor);
}

// Over the rows of pictures [images, rows, channels], to results [images, channels, parts].
template <int N, typename To, typename From>
__global__ void reduce_columns_kernel(Global<To> results, Global<const From> x, Channels s,
                                      Reduction op, double divisor) {
  GATUN_SHARED(double, room, kChannelThreads* N);
  const ChannelShare share(s, N);
  Pack<double, N> value;
  for (int k = 0; k < N; ++k) value.values[k] = start_of(op);
  using Values = Pack<From, N>;
  for_rows<Values>(
      share, [&](int64_t row) { return x.template load<N>(share.at(s, row)); },
      [&](int64_t, const Values& values) {
        for (int k = 0; k < N; ++k) {
          value.values[k] = combine(op, value.values[k], static_cast<double>(values.values[k]));
        }
      });
  value = combine_lanes<kChannelThreads>(value, room, s.lanes,
                                         [=](double a, double b) { return combine(op, a, b); });
  if (static_cast<int>(threadIdx.x) >= s.lanes || share.channel >= s.channels) return;
  for (int k = 0; k < N; ++k) {
    const int64_t result = share.image * s.channels + share.channel + k;
    results[result * s.parts + share.part] = static_cast<To>(value.values[k] / divisor);
  }
}

// Whatever the axes: a block for each result.
template <typename T>
__global__ void reduce_kernel(Global<T> results, Global<const T> x, Walk kept, Walk reduced,
                              Reduction op, double divisor) {
  using Block = Team<kRowThreads>;
  for (int64_t result = Block::row(); result < kept.count; result += Block::stride()) {
    const Global<const T> from = x.at(kept.offset(result));
    double value = start_of(op);
    for (int64_t i = threadIdx.x; i < reduced.count; i += kRowThreads) {
      value = combine(op, value, static_cast<double>(from[reduced.offset(i)]));
    }
    value = Block::combine(value, [=](double a, double b) { return combine(op, a, b); });
    if (threadIdx.x == 0) results[result] = static_cast<T>(value / divisor);
  }
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
  const int64_t row = Team<kWarp>::row();
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
      walk.lengthen(dim);
      walk.strides[walk.rank - 1] = stride;
    } else {
      walk.push(dim, stride);
    }
    former = kind;
  }
}

template <typename To, typename From>
void reduce_units(Queue& queue, Global<To> to, Global<const From> x, int64_t rows, int64_t length,
                  int64_t units, bool aligned, Reduction op, double divisor) {
  with_rows<From>(length, aligned, [&](auto width, auto team) {
    constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
    queue.launch(reduce_rows_kernel<N, kTeam, To, From>, rows_grid(rows * units, kTeam), to, x,
                 rows, length, units, op, divisor);
  });
}

template <typename To, typename From>
void reduce_rows(Queue& queue, Global<To> to, Global<const From> x, int64_t rows, int64_t length,
                 bool aligned, Reduction op, double divisor) {
  const int64_t units = std::max<int64_t>(1, (length + kUnit - 1) / kUnit);
  if (units > 1) {
    const Global<double> partial = queue.scratch<double>(rows * units);
    reduce_units(queue, partial, x, rows, length, units, aligned, op, 1);
    return reduce_rows(queue, to, Global<const double>(partial), rows, units, true, op, divisor);
  }
  reduce_units(queue, to, x, rows, length, units, aligned, op, divisor);
}

template <typename T>
void reduce_columns(Queue& queue, Global<T> to, Global<const T> x, int64_t images, int64_t rows,
                    int64_t channels, bool aligned, Reduction op, double divisor) {
  with_packs<T>(aligned && channels % kPackOf<T> == 0, [&](auto width) {
    constexpr int N = decltype(width)::value;
    const Channels shape(images, rows, channels, N);
    if (shape.parts == 1) {
      return queue.launch(reduce_columns_kernel<N, T, T>, shape.grid(), to, x, shape, op, divisor);
    }
    const Global<double> partial = queue.scratch<double>(images * channels * shape.parts);
    queue.launch(reduce_columns_kernel<N, double, T>, shape.grid(), partial, x, shape, op, 1.0);
    reduce_rows(queue, to, Global<const double>(partial), images * channels, shape.parts, true, op,
                divisor);
  });
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
  const double divisor = op == Reduction::MEAN ? static_cast<double>(reduced.count) : 1.0;
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Global<T> to = elements<T>(y);
    const Global<const T> from = elements<const T>(x);
    const bool aligned = are_aligned({&x});
    if (kept.rank <= 1 && reduced.rank == 1 && reduced.strides[0] == 1) {
      return reduce_rows(queue, to, from, kept.count, reduced.count, aligned, op, divisor);
    }
    if (kept.rank >= 1 && kept.rank <= 2 && reduced.rank <= 1 && kept.strides[kept.rank - 1] == 1) {
      const int64_t channels = kept.dims[kept.rank - 1];
      return reduce_columns(queue, to, from, kept.count / channels, reduced.count, channels,
                            aligned, op, divisor);
    }
    queue.launch(reduce_kernel<T>, rows_grid(y.count, kRowThreads), to, from, kept, reduced, op,
                 divisor);
  });
}

void argmax(Queue& queue, const Tensor& y, const Tensor& x) {
  if (y.count == 0) return;
  with_real(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(argmax_kernel<T>, rows_grid(y.count, kWarp), elements<int32_t>(y),
                 elements<const T>(x), y.count, x.count / y.count);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
