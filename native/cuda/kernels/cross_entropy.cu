// Softmax cross-entropy: its value, its gradient, or both in one pass over the logits.
#include <algorithm>
#include <limits>

#include "cuda/kernels/kernels.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Wanted;

// Blocks that write partial sums: as many as one block can sum at leisure.
constexpr int64_t kMostBlocks = 1024;
constexpr int64_t kMostTotals = 2 * kWarp;

template <typename T>
struct Targets {
  Global<const int32_t> labels;  // or distributions:
  Global<const T> values;        // [rows, columns]
  Global<const T> weights;       // of the classes, or none
  T smoothing;
  int64_t columns;

  __device__ bool counts(int64_t row) const {
    return labels ? labels[row] >= 0 : columns > 0 && !(values[row * columns] < 0);
  }
  // What the row adds to the total that the sums are divided by.
  __device__ double share(int64_t row) const {
    if (!counts(row)) return 0;
    if (!labels || !weights || labels[row] >= columns) return 1;
    return weights[labels[row]];
  }
  // q of gatun.h where the target is t.
  __device__ T wanted(int64_t c, T t) const {
    const T q = (1 - smoothing) * t + smoothing / static_cast<T>(columns);
    return weights ? weights[c] * q : q;
  }
};

template <typename T>
__global__ void total_kernel(Global<double> totals, Targets<T> targets, int64_t rows) {
  double total = 0;
  for (int64_t row = grid_thread(); row < rows; row += grid_threads()) {
    total += targets.share(row);
  }
  total = Team<kRowThreads>::sum(total);
  if (threadIdx.x == 0) totals[blockIdx.x] = total;
}

// The sum of at most kMostTotals numbers, for each lane of the warp.
__device__ double sum_totals(const Global<const double>& totals, int64_t count) {
  double sum = 0;
  for (int64_t i = lane(); i < count; i += kWarp) sum += totals[i];
  return Team<kWarp>::sum(sum);
}

// The place of a row's first greatest target.
template <typename T, int N, int kTeam>
__device__ int64_t first_greatest(const RowPart<T, N, kTeam>& row, int64_t columns) {
  const T most = row.greatest();
  int64_t place = columns;
  row.for_each([&](int64_t c, const Pack<T, N>& x) {
    for (int k = N - 1; k >= 0; --k) {
      if (x.values[k] == most && c + k < place) place = c + k;
    }
  });
  place = Team<kTeam>::least(place);
  return place < columns ? place : 0;
}

// Of a block: the sum of losses, of shares, and the count of correct rows.
constexpr int kSums = 3;

template <typename T>
struct Rows {
  Global<double> sums;  // [blocks, kSums]; none without the loss
  Global<T> dlogits;    // none without the gradient
  Global<const T> logits;
  Targets<T> targets;
  Global<const T> dloss;
  Global<const double> totals;
  int64_t total_count;
  int64_t rows;
};

template <typename T, int N, int kTeam, bool kLabels>
__global__ void rows_kernel(Rows<T> s) {
  using Part = RowPart<T, N, kTeam>;
  const Targets<T>& targets = s.targets;
  const int64_t columns = targets.columns;
  T scale = 0;
  if (s.dlogits) {
    const double total = sum_totals(s.totals, s.total_count);
    scale = static_cast<T>(total == 0 ? 0 : s.dloss[0] / total);
  }
  double losses = 0, shares = 0, correct = 0;
  for (int64_t row = Team<kTeam>::row(); row < s.rows; row += Team<kTeam>::stride()) {
    const int64_t begin = row * columns;
    const Part logits(s.logits.at(begin), columns);
    if (!targets.counts(row)) {
      if (s.dlogits) {
        logits.for_each(
            [&](int64_t c, const auto&) { s.dlogits.template store<N>(begin + c, {}); });
      }
      continue;
    }
    // Of labels there is nothing to load.
    const Part given(kLabels ? s.logits : targets.values.at(begin), kLabels ? 0 : columns);
    const int64_t label = kLabels ? targets.labels[row] : first_greatest(given, columns);
    const bool fits = label < columns;
    // f(column, logit, what is wanted there)
    const auto for_each = [&](auto f) {
      if constexpr (kLabels) {
        logits.for_each([&](int64_t c, const Pack<T, N>& x) {
          Pack<T, N> q;
          for (int k = 0; k < N; ++k) q.values[k] = targets.wanted(c + k, c + k == label ? 1 : 0);
          f(c, x, q);
        });
      } else {
        logits.for_each(given, [&](int64_t c, const Pack<T, N>& x, const Pack<T, N>& t) {
          Pack<T, N> q;
          for (int k = 0; k < N; ++k) q.values[k] = targets.wanted(c + k, t.values[k]);
          f(c, x, q);
        });
      }
    };

    const T most = logits.greatest();
    const T sum = logits.sum([=](T x) { return math::exp(x - most); });
    const T log_sum = math::log(sum), at_label = fits ? T(s.logits[begin + label]) : T{0};
    T loss = 0, mass = 0;
    int is_first_greatest = 1;
    for_each([&](int64_t c, const Pack<T, N>& x, const Pack<T, N>& q) {
      for (int k = 0; k < N; ++k) {
        mass += q.values[k];
        if (q.values[k] != 0) loss += q.values[k] * (most - x.values[k] + log_sum);
        const bool below = c + k < label ? x.values[k] < at_label : x.values[k] <= at_label;
        if (!below) is_first_greatest = 0;
      }
    });
    mass = Team<kTeam>::sum(mass);
    if (s.sums) {
      losses += fits ? Team<kTeam>::sum(loss) : std::numeric_limits<double>::quiet_NaN();
      shares += targets.share(row);
      correct += fits ? Team<kTeam>::least(is_first_greatest) : 0;
    }
    if (s.dlogits) {
      const T share = 1 / sum;
      for_each([&](int64_t c, const Pack<T, N>& x, const Pack<T, N>& q) {
        Pack<T, N> d;
        for (int k = 0; k < N; ++k) {
          const T p = math::exp(x.values[k] - most) * share;
          d.values[k] =
              fits ? scale * (p * mass - q.values[k]) : std::numeric_limits<T>::quiet_NaN();
        }
        s.dlogits.template store<N>(begin + c, d);
      });
    }
  }
  if (!s.sums) return;
  // Each member of a team has its sums: the first one brings them.
  const bool brings = Team<kTeam>::member() == 0;
  losses = Team<kRowThreads>::sum(brings ? losses : 0);
  shares = Team<kRowThreads>::sum(brings ? shares : 0);
  correct = Team<kRowThreads>::sum(brings ? correct : 0);
  if (threadIdx.x == 0) {
    s.sums[kSums * blockIdx.x] = losses;
    s.sums[kSums * blockIdx.x + 1] = shares;
    s.sums[kSums * blockIdx.x + 2] = correct;
  }
}

template <typename T>
__global__ void finish_kernel(Global<T> loss, Global<int32_t> correct, Global<const double> sums,
                              int64_t blocks) {
  double all[kSums] = {};
  for (int64_t b = threadIdx.x; b < blocks; b += kRowThreads) {
    for (int k = 0; k < kSums; ++k) all[k] += sums[kSums * b + k];
  }
  for (int k = 0; k < kSums; ++k) all[k] = Team<kRowThreads>::sum(all[k]);
  if (threadIdx.x == 0) {
    loss[0] = static_cast<T>(all[1] == 0 ? 0 : all[0] / all[1]);
    correct[0] = static_cast<int32_t>(all[2]);
  }
}

// `loss` and `correct`, or `dlogits` and `dloss`, may be NULL.
void compute(Queue& queue, const Tensor* loss, const Tensor* correct, const Tensor* dlogits,
             const Tensor& logits, const Wanted& wanted, const Tensor* dloss) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const bool labels = wanted.targets.dtype == DType::I32;
  with_real(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Targets<T> targets{
        labels ? elements<const int32_t>(wanted.targets) : Global<const int32_t>(),
        labels ? Global<const T>() : elements<const T>(wanted.targets),
        elements<const T>(wanted.class_weights), static_cast<T>(wanted.label_smoothing), columns};
    const int64_t total_count = std::clamp<int64_t>(rows / kRowThreads, 1, kMostTotals);
    Global<double> totals;
    if (dlogits != nullptr) {
      totals = queue.scratch<double>(total_count);
      queue.launch(total_kernel<T>, Grid{{static_cast<uint32_t>(total_count)}, {kRowThreads}},
                   totals, targets, rows);
    }
    const bool aligned = are_aligned({dlogits, &logits, labels ? nullptr : &wanted.targets});
    with_rows<T>(columns, aligned, [&](auto width, auto team) {
      constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
      const Grid grid = rows_grid(rows, kTeam, kMostBlocks);
      const int64_t blocks = grid.blocks.count();
      const Global<double> sums =
          loss == nullptr ? Global<double>() : queue.scratch<double>(kSums * blocks);
      queue.launch(labels ? rows_kernel<T, N, kTeam, true> : rows_kernel<T, N, kTeam, false>, grid,
                   Rows<T>{sums, elements<T>(dlogits), elements<const T>(logits), targets,
                           elements<const T>(dloss), totals, total_count, rows});
      if (loss == nullptr) return;
      queue.launch(finish_kernel<T>, Grid{{1}, {kRowThreads}}, elements<T>(loss),
                   elements<int32_t>(correct), Global<const double>(sums), blocks);
    });
  });
}

}  // namespace

namespace kernels {

void softmax_cross_entropy(Queue& queue, const Tensor& loss, const Tensor& correct,
                           const Tensor& logits, const Wanted& wanted) {
  compute(queue, &loss, &correct, nullptr, logits, wanted, nullptr);
}

void softmax_cross_entropy_backward(Queue& queue, const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss) {
  compute(queue, nullptr, nullptr, &dlogits, logits, wanted, &dloss);
}

void softmax_cross_entropy_training(Queue& queue, const Tensor& loss, const Tensor& correct,
                                    const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss) {
  compute(queue, &loss, &correct, &dlogits, logits, wanted, &dloss);
}

}  // namespace kernels
}  // namespace gatun::cuda
