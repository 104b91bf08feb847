// Rows of a table by number, and the sum back into them.
#include <limits>

#include "cuda/kernels/divisor.h"
#include "cuda/kernels/functions.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/packs.h"

namespace gatun::cuda {
namespace {

template <typename T>
struct Gather {
  Global<T> y;
  Global<const T> table;
  Global<const int32_t> indices;
  Divisor width;
  int64_t rows;

  template <int N>
  __device__ void at(int64_t i) const {
    int64_t n = i;
    const int64_t column = width.split(n), row = indices[n];
    Pack<T, N> pack;
    if (row >= 0 && row < rows) {
      pack = table.template load<N>(row * width.value() + column);
    } else {
      for (int k = 0; k < N; ++k) {
        pack.values[k] = row < 0 ? T{0} : std::numeric_limits<T>::quiet_NaN();
      }
    }
    y.template store<N>(i, pack);
  }
};

constexpr int kThreads = 256;

// Of each row of the table: the first place that names it, and how many do. Integers, so that the
// order in which they are found does not matter.
struct Places {
  Global<int32_t> first, count;
};

__global__ void forget_places_kernel(Places places, int64_t rows) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < rows; i += grid_threads()) {
    places.first[i] = std::numeric_limits<int32_t>::max();
    places.count[i] = 0;
  }
}

__global__ void find_places_kernel(Places places, Global<const int32_t> indices, int64_t count,
                                   int64_t rows) {
  for (int64_t n = grid_thread(); n < count; n += grid_threads()) {
    const int32_t row = indices[n];
    if (row < 0 || row >= rows) continue;
    atomic_min(places.first, row, static_cast<int32_t>(n));
    atomic_add(places.count, row, 1);
  }
}

// A warp for 32 packs of each index: the first place where a row is named sums it, in the order of
// the places, until it has found them all. An atomic sum would have no order.
template <typename T, int N>
__global__ void scatter_kernel(Global<T> table, Global<const T> dy, Global<const int32_t> indices,
                               Places places, int64_t count, int64_t rows, int64_t width,
                               int64_t chunks) {
  const int64_t work = int64_t{blockIdx.x} * (kThreads / kWarp) + warp();
  if (work >= count * chunks) return;  // the whole warp
  const int64_t n = work / chunks, column = (work % chunks * kWarp + lane()) * N;
  const int32_t row = indices[n];
  if (row < 0 || row >= rows || places.first[row] != n) return;
  int32_t left = places.count[row];
  Pack<T, N> sum{};
  for (int64_t from = n / kWarp * kWarp; left > 0; from += kWarp) {
    const int64_t at = from + lane();
    uint32_t found = ballot(at < count && indices[at] == row);
    for (int k = 0; found != 0; found >>= 1, ++k) {
      if ((found & 1) == 0) continue;
      --left;
      if (column >= width) continue;
      sum = each(sum, dy.template load<N>((from + k) * width + column),
                 [](T a, T b) { return a + b; });
    }
  }
  if (column < width) table.template store<N>(row * width + column, sum);
}

}  // namespace

namespace kernels {

void gather_rows(Queue& queue, const Tensor& y, const Tensor& table, const Tensor& indices) {
  const int64_t width = y.dims[1];
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(queue, y.count, are_aligned({&y, &table}) && width % kPackOf<T> == 0,
                   Gather<T>{elements<T>(y), elements<const T>(table),
                             elements<const int32_t>(indices), Divisor(width), table.dims[0]});
  });
}

void scatter_add_rows(Queue& queue, const Tensor& dtable, const Tensor& dy, const Tensor& indices) {
  fill(queue, dtable, 0);
  const int64_t count = dy.dims[0], width = dtable.dims[1], rows = dtable.dims[0];
  if (count == 0 || dtable.count == 0) return;
  const Places places{queue.scratch<int32_t>(rows), queue.scratch<int32_t>(rows)};
  queue.launch(forget_places_kernel, elements_grid(rows), places, rows);
  queue.launch(find_places_kernel, elements_grid(count), places, elements<const int32_t>(indices),
               count, rows);
  with_real(dtable.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_packs<T>(are_aligned({&dtable, &dy}) && width % kPackOf<T> == 0, [&](auto size) {
      constexpr int N = decltype(size)::value;
      constexpr int64_t kWarps = kThreads / kWarp;
      const int64_t chunks = (width + kWarp * N - 1) / (kWarp * N);
      const auto blocks = static_cast<uint32_t>((count * chunks + kWarps - 1) / kWarps);
      queue.launch(scatter_kernel<T, N>, Grid{{blocks}, {kThreads}}, elements<T>(dtable),
                   elements<const T>(dy), elements<const int32_t>(indices), places, count, rows,
                   width, chunks);
    });
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
