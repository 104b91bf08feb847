// Softmax and its logarithm, each row read once if registers hold it; one-hot rows.
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

template <typename T, int N, int kTeam>
__global__ void softmax_kernel(Global<T> y, Global<const T> x, int64_t rows, int64_t columns,
                               bool logarithm) {
  using W = WideOf<T>;
  for (int64_t row = Team<kTeam>::row(); row < rows; row += Team<kTeam>::stride()) {
    const int64_t begin = row * columns;
    const RowPart<T, N, kTeam> part(x.at(begin), columns);
    const W most = part.greatest();
    const W sum = part.sum([=](W v) { return math::exp(v - most); });
    const W logarithm_of_sum = math::log(sum), share = 1 / sum;
    part.for_each([&](int64_t c, const Pack<W, N>& v) {
      Pack<W, N> result;
      for (int k = 0; k < N; ++k) {
        const W above = v.values[k] - most;
        result.values[k] = logarithm ? above - logarithm_of_sum : math::exp(above) * share;
      }
      y.template store<N>(begin + c, narrow<T, N>(result));
    });
  }
}

void along_rows(Queue& queue, const Tensor& y, const Tensor& x, bool logarithm) {
  if (x.count == 0) return;
  const int64_t columns = x.dims[x.rank - 1], rows = x.count / columns;
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_rows<T>(columns, are_aligned({&y, &x}), [&](auto width, auto team) {
      constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
      queue.launch(softmax_kernel<T, N, kTeam>, rows_grid(rows, kTeam), elements<T>(y),
                   elements<const T>(x), rows, columns, logarithm);
    });
  });
}

template <typename T, int N>
__global__ void one_hot_kernel(Global<T> y, Global<const int32_t> labels, int64_t count,
                               Divisor columns) {
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    int64_t row = i;
    const int64_t column = columns.split(row), label = labels[row];
    Pack<T, N> pack;
    for (int k = 0; k < N; ++k) pack.values[k] = narrow<T>(column + k == label ? 1 : 0);
    y.template store<N>(i, pack);
  }
}

}  // namespace

namespace kernels {

void softmax(Queue& queue, const Tensor& y, const Tensor& x) { along_rows(queue, y, x, false); }

void log_softmax(Queue& queue, const Tensor& y, const Tensor& x) { along_rows(queue, y, x, true); }

void one_hot(Queue& queue, const Tensor& y, const Tensor& labels) {
  if (y.count == 0) return;
  const int64_t columns = y.dims[y.rank - 1];
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_packs<T>(are_aligned({&y}) && columns % kPackOf<T> == 0, [&](auto width) {
      constexpr int N = decltype(width)::value;
      queue.launch(one_hot_kernel<T, N>, elements_grid(y.count, N), elements<T>(y),
                   elements<const int32_t>(labels), y.count, Divisor(columns));
    });
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
