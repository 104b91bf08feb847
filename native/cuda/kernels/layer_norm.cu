// Layer and RMS normalisation, each row read once if registers hold it.
#include <algorithm>

#include "cuda/kernels/block.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

// A pack of what there is one of for each column; `otherwise` where there is nothing.
template <int N, typename W>
__device__ Pack<W, N> of_columns(const Global<const W>& x, int64_t column, W otherwise) {
  if (x) return load_pieces<N>(x, column);
  Pack<W, N> pack;
  for (int k = 0; k < N; ++k) pack.values[k] = otherwise;
  return pack;
}

template <typename T>
struct Normalisation {
  using W = WideOf<T>;
  Global<T> y;
  Global<W> mean;  // none for RMS
  Global<W> inv_std;
  Global<const T> x;
  Global<const W> gamma, beta;  // or none
  int64_t rows, columns;
  W epsilon;
};

template <typename T, int N, int kTeam>
__global__ void normalise_kernel(Normalisation<T> n) {
  using W = WideOf<T>;
  const W share = 1 / static_cast<W>(n.columns);
  for (int64_t row = Team<kTeam>::row(); row < n.rows; row += Team<kTeam>::stride()) {
    const int64_t begin = row * n.columns;
    const RowPart<T, N, kTeam> part(n.x.at(begin), n.columns);
    const W mean = n.mean ? part.sum([](W v) { return v; }) * share : W{0};
    const W variance = part.sum([=](W v) { return (v - mean) * (v - mean); }) * share;
    const W inverse = 1 / math::sqrt(variance + n.epsilon);
    if (Team<kTeam>::member() == 0) {
      if (n.mean) n.mean[row] = mean;
      n.inv_std[row] = inverse;
    }
    part.for_each([&](int64_t c, const Pack<W, N>& v) {
      const Pack<W, N> gamma = of_columns<N>(n.gamma, c, W{1});
      const Pack<W, N> beta = of_columns<N>(n.beta, c, W{0});
      Pack<W, N> y;
      for (int k = 0; k < N; ++k) {
        y.values[k] = gamma.values[k] * ((v.values[k] - mean) * inverse) + beta.values[k];
      }
      n.y.template store<N>(begin + c, narrow<T, N>(y));
    });
  }
}

template <typename T>
struct Gradient {
  using W = WideOf<T>;
  Global<T> dx;
  Global<W> partial;  // sums for dgamma and dbeta [blocks, 2, columns], or none
  Global<const T> dy, x;
  Global<const W> mean, inv_std, gamma;
  int64_t rows, columns;
};

template <typename T, int N, int kTeam>
__global__ void gradient_kernel(Gradient<T> d) {
  using W = WideOf<T>;
  using Part = RowPart<T, N, kTeam>;
  const W share = 1 / static_cast<W>(d.columns);
  const Global<W> for_gamma = d.partial.at(int64_t{2} * blockIdx.x * d.columns);
  const Global<W> for_beta = for_gamma.at(d.columns);
  // A thread sums its columns over the team's rows: in registers, and beyond them in the block's
  // own partial sums.
  Pack<W, N> dgamma[kKeptPacks] = {}, dbeta[kKeptPacks] = {};
  if (Part::kOverflows && d.partial) {
    for (int64_t c = Part::column(kKeptPacks); c < d.columns; c += kTeam * N) {
      for (int k = 0; k < N; ++k) for_gamma[c + k] = for_beta[c + k] = 0;
    }
  }
  for (int64_t row = Team<kTeam>::row(); row < d.rows; row += Team<kTeam>::stride()) {
    const int64_t begin = row * d.columns;
    const Part dy(d.dy.at(begin), d.columns), x(d.x.at(begin), d.columns);
    const W mean = d.mean ? W(d.mean[row]) : W{0}, inverse = d.inv_std[row];
    W sum = 0, product = 0;
    dy.for_each_slot(x, [&](int slot, int64_t c, const Pack<W, N>& g, const Pack<W, N>& v) {
      const Pack<W, N> gamma = of_columns<N>(d.gamma, c, W{1});
      for (int k = 0; k < N; ++k) {
        const W xhat = (v.values[k] - mean) * inverse, by = g.values[k] * xhat;
        sum += gamma.values[k] * g.values[k];
        product += gamma.values[k] * by;
        if (slot >= 0) {
          dgamma[slot].values[k] += by;
          dbeta[slot].values[k] += g.values[k];
        } else if (d.partial) {
          for_gamma[c + k] += by;
          for_beta[c + k] += g.values[k];
        }
      }
    });
    sum = d.mean ? Team<kTeam>::sum(sum) * share : W{0};
    product = Team<kTeam>::sum(product) * share;
    dy.for_each(x, [&](int64_t c, const Pack<W, N>& g, const Pack<W, N>& v) {
      const Pack<W, N> gamma = of_columns<N>(d.gamma, c, W{1});
      Pack<W, N> dx;
      for (int k = 0; k < N; ++k) {
        const W xhat = (v.values[k] - mean) * inverse;
        dx.values[k] = inverse * (gamma.values[k] * g.values[k] - (sum + xhat * product));
      }
      d.dx.template store<N>(begin + c, narrow<T, N>(dx));
    });
  }
  if (!d.partial) return;
  // The teams of the block share columns.
  GATUN_SHARED(W, room, kRowThreads * N);
  GATUN_UNROLL
  for (int slot = 0; slot < kKeptPacks; ++slot) {
    const int64_t c = Part::column(slot);
    const Pack<W, N> gammas = sum_lanes<kRowThreads>(dgamma[slot], room, kTeam);
    const Pack<W, N> betas = sum_lanes<kRowThreads>(dbeta[slot], room, kTeam);
    if (Team<kTeam>::number() != 0 || c >= d.columns) continue;
    for (int k = 0; k < N; ++k) {
      for_gamma[c + k] = gammas.values[k];
      for_beta[c + k] = betas.values[k];
    }
  }
}

constexpr int kSumThreads = 512;

// Sums of the blocks' partial sums: a warp's lanes take neighbouring columns, the warps every so
// many blocks. The upper half of the grid is for dbeta.
template <typename W>
__global__ void column_sums_kernel(Global<W> dgamma, Global<W> dbeta, Global<const W> partial,
                                   int64_t blocks, int64_t columns) {
  GATUN_SHARED(W, room, kSumThreads);
  const int64_t chunks = gridDim.x / 2;
  const bool beta = blockIdx.x >= chunks;
  const Global<W> to = beta ? dbeta : dgamma;
  if (!to) return;  // the whole block
  const int64_t c = blockIdx.x % chunks * kWarp + lane();
  Pack<W, 1> sum{};
  if (c < columns) {
    for (int64_t b = warp(); b < blocks; b += kSumThreads / kWarp) {
      sum.values[0] += partial[(2 * b + (beta ? 1 : 0)) * columns + c];
    }
  }
  sum = sum_lanes<kSumThreads>(sum, room, kWarp);
  if (warp() == 0 && c < columns) to[c] = sum.values[0];
}

}  // namespace

namespace kernels {

void layer_norm(Queue& queue, const Tensor& y, const Tensor* mean, const Tensor& inv_std,
                const Tensor& x, const Tensor* gamma, const Tensor* beta, double epsilon) {
  if (x.count == 0) return;
  const int64_t columns = x.dims[x.rank - 1], rows = x.count / columns;
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    with_rows<T>(columns, are_aligned({&y, &x, gamma, beta}), [&](auto width, auto team) {
      constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
      queue.launch(
          normalise_kernel<T, N, kTeam>, rows_grid(rows, kTeam),
          Normalisation<T>{elements<T>(y), elements<W>(mean), elements<W>(inv_std),
                           elements<const T>(x), elements<const W>(gamma), elements<const W>(beta),
                           rows, columns, static_cast<W>(epsilon)});
    });
  });
}

void layer_norm_backward(Queue& queue, const Tensor& dx, const Tensor* dgamma, const Tensor* dbeta,
                         const Tensor& dy, const Tensor& x, const Tensor* mean,
                         const Tensor& inv_std, const Tensor* gamma) {
  const int64_t columns = x.dims[x.rank - 1], rows = columns == 0 ? 0 : x.count / columns;
  const bool sums = dgamma != nullptr || dbeta != nullptr;
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    with_rows<T>(columns, are_aligned({&dx, &dy, &x, gamma}), [&](auto width, auto team) {
      constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
      // Enough to fill a large GPU; with sums, some rows for each.
      constexpr int64_t kMostBlocks = 512, kRowsEach = 4;
      const int64_t fine = rows / (Team<kTeam>::kPerBlock * kRowsEach);
      const Grid grid = sums ? rows_grid(rows, kTeam, std::clamp<int64_t>(fine, 1, kMostBlocks))
                             : rows_grid(rows, kTeam);
      const int64_t blocks = grid.blocks.count();
      const Global<W> partial = sums ? queue.scratch<W>(2 * blocks * columns) : Global<W>();
      queue.launch(
          gradient_kernel<T, N, kTeam>, grid,
          Gradient<T>{elements<T>(dx), partial, elements<const T>(dy), elements<const T>(x),
                      elements<const W>(mean), elements<const W>(inv_std), elements<const W>(gamma),
                      rows, columns});
      if (!sums) return;
      const int64_t chunks = (columns + kWarp - 1) / kWarp;
      queue.launch(column_sums_kernel<W>, Grid{{static_cast<uint32_t>(2 * chunks)}, {kSumThreads}},
                   elements<W>(dgamma), elements<W>(dbeta), Global<const W>(partial), blocks,
                   columns);
    });
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
