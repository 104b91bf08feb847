// Pooling: a thread makes a pack of neighbouring channels of one place, from the taps of its window
// or, backwards, from the windows that contain it.
#include "cuda/kernels/block.h"
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/functions.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/packs.h"
#include "kernels/pool.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::PoolAxis;
using gatun::kernels::PoolGeometry;

// Where a pack lies: image, row, column, first channel.
struct Place {
  int64_t n, h, w, c;
};

struct Pooling {
  PoolGeometry g;
  Divisor channels, x_width, x_height, y_width, y_height, h_stride, w_stride;

  explicit Pooling(const PoolGeometry& geometry)
      : g(geometry),
        channels(g.channels),
        x_width(g.w.size),
        x_height(g.h.size),
        y_width(g.w.places),
        y_height(g.h.places),
        h_stride(g.h.stride),
        w_stride(g.w.stride) {}

  __device__ Place place(int64_t i, const Divisor& height, const Divisor& width) const {
    Place at{};
    at.c = channels.split(i);
    at.w = width.split(i);
    at.h = height.split(i);
    at.n = i;
    return at;
  }
  __device__ Place place_in_x(int64_t i) const { return place(i, x_height, x_width); }
  __device__ Place place_in_y(int64_t i) const { return place(i, y_height, y_width); }
  __device__ int64_t in_x(int64_t n, int64_t h, int64_t w, int64_t c) const {
    return ((n * g.h.size + h) * g.w.size + w) * g.channels + c;
  }
  __device__ int64_t in_y(int64_t n, int64_t p, int64_t q, int64_t c) const {
    return ((n * g.h.places + p) * g.w.places + q) * g.channels + c;
  }

  // f(index in x, tap) for the taps of a window that lie in the picture.
  template <typename F>
  __device__ void for_each_tap(const Place& y, F f) const {
    const auto rows = g.h.taps(y.h), columns = g.w.taps(y.w);
    const int64_t top = y.h * g.h.stride - g.h.pad, left = y.w * g.w.stride - g.w.pad;
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      for (int64_t s = columns.begin; s < columns.end; ++s) {
        f(in_x(y.n, top + r, left + s, y.c), r * g.w.window + s);
      }
    }
  }
  // The windows that contain a pixel, as PoolAxis::windows.
  __device__ PoolAxis::Range windows(const PoolAxis& axis, const Divisor& stride,
                                     int64_t pixel) const {
    const int64_t low = pixel + axis.pad - axis.window + 1;
    const int64_t end = stride.divide(pixel + axis.pad) + 1;
    return {low <= 0 ? 0 : stride.divide(low + axis.stride - 1),
            end < axis.places ? end : axis.places};
  }
  // f(p, q, index in y, the tap that the pixel is there) for those windows.
  template <typename F>
  __device__ void for_each_window(const Place& x, F f) const {
    const auto rows = windows(g.h, h_stride, x.h), columns = windows(g.w, w_stride, x.w);
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const int64_t r = x.h - (p * g.h.stride - g.h.pad), s = x.w - (q * g.w.stride - g.w.pad);
        f(p, q, in_y(x.n, p, q, x.c), r * g.w.window + s);
      }
    }
  }
};

template <typename T, int N>
__global__ void max_kernel(Global<T> y, Global<uint8_t> taps, Global<const T> x, int64_t count,
                           Pooling pooling) {
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    Pack<WideOf<T>, N> best{};
    Pack<uint8_t, N> place{};
    bool first = true;
    pooling.for_each_tap(pooling.place_in_y(i), [&](int64_t at, int64_t tap) {
      const auto values = widen(x.template load<N>(at));
      for (int k = 0; k < N; ++k) {
        const auto v = values.values[k], b = best.values[k];
        if (first || v > b || (math::is_nan(v) && !math::is_nan(b))) {
          best.values[k] = v;
          place.values[k] = static_cast<uint8_t>(tap);
        }
      }
      first = false;
    });
    y.template store<N>(i, narrow<T, N>(best));
    taps.template store<N>(i, place);
  }
}

template <typename T, int N>
__global__ void max_backward_kernel(Global<T> dx, Global<const T> dy, Global<const uint8_t> taps,
                                    int64_t count, Pooling pooling) {
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    Pack<WideOf<T>, N> sum{};
    pooling.for_each_window(pooling.place_in_x(i), [&](int64_t, int64_t, int64_t at, int64_t tap) {
      const auto d = widen(dy.template load<N>(at));
      const Pack<uint8_t, N> winner = taps.template load<N>(at);
      for (int k = 0; k < N; ++k) {
        if (winner.values[k] == tap) sum.values[k] += d.values[k];
      }
    });
    dx.template store<N>(i, narrow<T, N>(sum));
  }
}

template <typename T, int N>
__global__ void average_kernel(Global<T> y, Global<const T> x, int64_t count, Pooling pooling) {
  using W = WideOf<T>;
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    const Place place = pooling.place_in_y(i);
    Pack<W, N> sum{};
    pooling.for_each_tap(place, [&](int64_t at, int64_t) {
      sum = each(sum, widen(x.template load<N>(at)), [](W a, W b) { return a + b; });
    });
    const W by = 1 / static_cast<W>(pooling.g.counted(place.h, place.w));
    y.template store<N>(i, narrow<T, N>(each(sum, [=](W v) { return v * by; })));
  }
}

template <typename T, int N>
__global__ void average_backward_kernel(Global<T> dx, Global<const T> dy, int64_t count,
                                        Pooling pooling) {
  using W = WideOf<T>;
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    Pack<W, N> sum{};
    pooling.for_each_window(pooling.place_in_x(i), [&](int64_t p, int64_t q, int64_t at, int64_t) {
      const W by = 1 / static_cast<W>(pooling.g.counted(p, q));
      const auto d = widen(dy.template load<N>(at));
      sum = each(sum, d, [=](W a, W b) { return a + b * by; });
    });
    dx.template store<N>(i, narrow<T, N>(sum));
  }
}

constexpr int kThreads = 256;
// Windows of so many taps are cut among the threads of a block: whole pictures, mostly, of which
// there are few.
constexpr int64_t kLargeWindow = 32;

// A block for `lanes` packs of one place, a power of two; the threads that share a pack take the
// taps in turns.
template <typename T, int N>
__global__ void large_average_kernel(Global<T> y, Global<const T> x, int64_t chunks, int lanes,
                                     Pooling pooling) {
  using W = WideOf<T>;
  GATUN_SHARED(W, sums, kThreads * N);
  const PoolGeometry& g = pooling.g;
  const int thread = static_cast<int>(threadIdx.x), groups = kThreads / lanes;
  const int64_t chunk = blockIdx.x % chunks;
  const int64_t c = (chunk * lanes + thread % lanes) * N;
  const Place place = pooling.place_in_y(blockIdx.x / chunks * g.channels);
  const auto rows = g.h.taps(place.h), columns = g.w.taps(place.w);
  Pack<W, N> sum{};
  if (c < g.channels) {
    const int64_t top = place.h * g.h.stride - g.h.pad, left = place.w * g.w.stride - g.w.pad;
    int64_t r = rows.begin, s = columns.begin + thread / lanes;
    for (;; s += groups) {
      while (s >= columns.end) {
        s -= columns.count();
        ++r;
      }
      if (r >= rows.end) break;
      const auto v = widen(x.template load<N>(pooling.in_x(place.n, top + r, left + s, c)));
      sum = each(sum, v, [](W a, W b) { return a + b; });
    }
  }
  sum = sum_lanes<kThreads>(sum, sums, lanes);
  if (thread >= lanes || c >= g.channels) return;
  const W by = 1 / static_cast<W>(g.counted(place.h, place.w));
  const Pack<W, N> mean = each(sum, [=](W v) { return v * by; });
  y.template store<N>(pooling.in_y(place.n, place.h, place.w, c), narrow<T, N>(mean));
}

// Calls f(T, width) with a type and how many channels a thread takes.
template <typename F>
void with_channels(const Tensor& x, const PoolGeometry& g,
                   std::initializer_list<const Tensor*> tensors, F&& f) {
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_packs<T>(are_aligned(tensors) && g.channels % kPackOf<T> == 0,
                  [&](auto width) { f(zero, width); });
  });
}

}  // namespace

namespace kernels {

void max_pool(Queue& queue, const Tensor& y, const Tensor& taps, const Tensor& x,
              const PoolGeometry& g) {
  if (y.count == 0) return;
  with_channels(y, g, {&y, &taps, &x}, [&](auto zero, auto width) {
    using T = decltype(zero);
    constexpr int N = decltype(width)::value;
    queue.launch(max_kernel<T, N>, elements_grid(y.count, N), elements<T>(y),
                 elements<uint8_t>(taps), elements<const T>(x), y.count, Pooling(g));
  });
}

void max_pool_backward(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& taps,
                       const PoolGeometry& g) {
  if (dx.count == 0) return;
  with_channels(dx, g, {&dx, &dy, &taps}, [&](auto zero, auto width) {
    using T = decltype(zero);
    constexpr int N = decltype(width)::value;
    queue.launch(max_backward_kernel<T, N>, elements_grid(dx.count, N), elements<T>(dx),
                 elements<const T>(dy), elements<const uint8_t>(taps), dx.count, Pooling(g));
  });
}

void average_pool(Queue& queue, const Tensor& y, const Tensor& x, const PoolGeometry& g) {
  if (y.count == 0) return;
  with_channels(y, g, {&y, &x}, [&](auto zero, auto width) {
    using T = decltype(zero);
    constexpr int N = decltype(width)::value;
    if (g.h.window * g.w.window < kLargeWindow) {
      return queue.launch(average_kernel<T, N>, elements_grid(y.count, N), elements<T>(y),
                          elements<const T>(x), y.count, Pooling(g));
    }
    int lanes = 1;
    while (lanes < kWarp && lanes * N < g.channels) lanes *= 2;
    const int64_t each = int64_t{lanes} * N, chunks = (g.channels + each - 1) / each;
    const int64_t blocks = y.count / g.channels * chunks;
    queue.launch(large_average_kernel<T, N>, Grid{{static_cast<uint32_t>(blocks)}, {kThreads}},
                 elements<T>(y), elements<const T>(x), chunks, lanes, Pooling(g));
  });
}

void average_pool_backward(Queue& queue, const Tensor& dx, const Tensor& dy,
                           const PoolGeometry& g) {
  if (dx.count == 0) return;
  with_channels(dx, g, {&dx, &dy}, [&](auto zero, auto width) {
    using T = decltype(zero);
    constexpr int N = decltype(width)::value;
    queue.launch(average_backward_kernel<T, N>, elements_grid(dx.count, N), elements<T>(dx),
                 elements<const T>(dy), dx.count, Pooling(g));
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
