// Batch and group normalisation: statistics of each group of channels of each picture, where batch
// normalisation has one picture of all rows, and groups of one channel.
#include "cuda/kernels/block.h"
#include "cuda/kernels/channels.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

// A pack of what there is one of for each channel; zeros beyond the last one.
template <int N, typename W>
__device__ Pack<W, N> of_channels(const Global<const W>& x, const ChannelShare& share,
                                  const Channels& s) {
  Pack<W, N> pack{};
  if (share.channel >= s.channels) return pack;
  for (int k = 0; k < N; ++k) pack.values[k] = x[share.channel + k];
  return pack;
}
// The same of what there is one of for each picture and group of `each` channels.
template <int N, typename W>
__device__ Pack<W, N> of_groups(const Global<const W>& x, const ChannelShare& share,
                                const Channels& s, int64_t each) {
  Pack<W, N> pack{};
  if (share.channel >= s.channels) return pack;
  const int64_t first = share.image * (s.channels / each);
  for (int k = 0; k < N; ++k) pack.values[k] = x[first + (share.channel + k) / each];
  return pack;
}

// ---- Statistics

// Rows that a thread takes at once: about 32 values.
template <int N>
constexpr int kBatch = N >= 8 ? 4 : 8;

// Mean and sum of squared deviations from it of each channel of each part, to partial
// [2, images, channels, parts]. They are found for some rows at a time, in registers, and merged.
template <typename T, int N>
__global__ void moments_kernel(Global<WideOf<T>> partial, Global<const T> x, Channels s) {
  using W = WideOf<T>;
  GATUN_SHARED(W, room, kChannelThreads * N);
  const ChannelShare share(s, N);
  Pack<W, N> mean{}, squares{};
  W count = 0;
  for (int64_t row = share.row; row < share.end; row += kBatch<N> * share.step) {
    Pack<W, N> batch[kBatch<N>] = {}, center{}, deviations{};
    W taken = 0;
    GATUN_UNROLL
    for (int u = 0; u < kBatch<N>; ++u) {
      const int64_t r = row + u * share.step;
      if (r < share.end) {
        batch[u] = widen(x.template load<N>(share.at(s, r)));
        taken += 1;
      }
    }
    GATUN_UNROLL
    for (int u = 0; u < kBatch<N>; ++u) {
      if (u >= taken) continue;
      for (int k = 0; k < N; ++k) center.values[k] += batch[u].values[k];
    }
    const W by = 1 / taken;
    for (int k = 0; k < N; ++k) center.values[k] *= by;
    GATUN_UNROLL
    for (int u = 0; u < kBatch<N>; ++u) {
      if (u >= taken) continue;
      for (int k = 0; k < N; ++k) {
        const W d = batch[u].values[k] - center.values[k];
        deviations.values[k] += d * d;
      }
    }
    // Chan, Golub and LeVeque (1979)
    const W all = count + taken, to = taken / all, between = count * to;
    for (int k = 0; k < N; ++k) {
      const W d = center.values[k] - mean.values[k];
      mean.values[k] += d * to;
      squares.values[k] += deviations.values[k] + d * d * between;
    }
    count = all;
  }
  Pack<W, N> center;
  for (int k = 0; k < N; ++k) center.values[k] = mean.values[k] * count;
  center = sum_lanes<kChannelThreads>(center, room, s.lanes);
  const W by = 1 / static_cast<W>(s.rows_of(share.part));
  for (int k = 0; k < N; ++k) {
    center.values[k] *= by;
    const W d = mean.values[k] - center.values[k];
    squares.values[k] += d * d * count;
  }
  squares = sum_lanes<kChannelThreads>(squares, room, s.lanes);
  if (static_cast<int>(threadIdx.x) >= s.lanes || share.channel >= s.channels) return;
  const int64_t squares_from = s.images * s.channels * s.parts;
  for (int k = 0; k < N; ++k) {
    const int64_t at = (share.image * s.channels + share.channel + k) * s.parts + share.part;
    partial[at] = center.values[k];
    partial[squares_from + at] = squares.values[k];
  }
}

// What becomes of a mean and a variance.
template <typename W>
struct Statistics {
  Global<W> mean, inv_std;
  double epsilon;
  // Of batch normalisation alone.
  Global<W> new_running_mean, new_running_variance;
  Global<const W> running_mean, running_variance;
  double momentum;

  __device__ void store(int64_t i, double center, double variance, double count) const {
    mean[i] = static_cast<W>(center);
    inv_std[i] = static_cast<W>(1 / math::sqrt(variance + epsilon));
    if (!new_running_mean) return;
    const double unbiased = variance * (count / (count - 1));
    new_running_mean[i] = static_cast<W>((1 - momentum) * running_mean[i] + momentum * center);
    new_running_variance[i] =
        static_cast<W>((1 - momentum) * running_variance[i] + momentum * unbiased);
  }
};

// A team for each picture and group.
template <typename W, int kTeam>
__global__ void statistics_kernel(Statistics<W> statistics, Global<const W> partial, Channels s,
                                  int64_t each) {
  const int64_t group = Team<kTeam>::row();
  if (group >= s.images * (s.channels / each)) return;  // the whole team
  const int64_t count = each * s.parts, from = group * count;
  const int64_t squares_from = s.images * s.channels * s.parts + from;
  const auto all = static_cast<double>(each * s.rows);
  double sum = 0;
  GATUN_ROLL
  for (int64_t i = Team<kTeam>::member(); i < count; i += kTeam) {
    sum += static_cast<double>(s.rows_of(i % s.parts)) * partial[from + i];
  }
  const double mean = Team<kTeam>::sum(sum) / all;
  double squares = 0;
  GATUN_ROLL
  for (int64_t i = Team<kTeam>::member(); i < count; i += kTeam) {
    const double d = partial[from + i] - mean;
    squares += partial[squares_from + i] + static_cast<double>(s.rows_of(i % s.parts)) * d * d;
  }
  squares = Team<kTeam>::sum(squares);
  if (Team<kTeam>::member() == 0) statistics.store(group, mean, squares / all, all);
}

// Partial results that a warp sums; a block sums more.
constexpr int64_t kWarpSums = 4 * kWarp;

// From moments [2, channels].
template <typename W>
__global__ void given_statistics_kernel(Statistics<W> statistics, Global<const W> moments,
                                        int64_t channels, int64_t rows) {
  const int64_t c = grid_thread();
  if (c >= channels) return;
  statistics.store(c, moments[c], moments[channels + c], static_cast<double>(rows));
}

template <typename T>
void find_statistics(Queue& queue, const Tensor& x, const Channels& shape, int width,
                     const Statistics<WideOf<T>>& statistics, int64_t each) {
  using W = WideOf<T>;
  const auto partial = queue.scratch<W>(2 * shape.images * shape.channels * shape.parts);
  queue.launch(width == 1 ? moments_kernel<T, 1> : moments_kernel<T, kPackOf<T>>, shape.grid(),
               partial, elements<const T>(x), shape);
  const bool few = each * shape.parts <= kWarpSums;
  queue.launch(few ? statistics_kernel<W, kWarp> : statistics_kernel<W, kRowThreads>,
               rows_grid(shape.images * (shape.channels / each), few ? kWarp : kRowThreads),
               statistics, Global<const W>(partial), shape, each);
}

// ---- Normalisation

template <typename T>
struct Normalisation {
  using W = WideOf<T>;
  Global<T> y;
  Global<const T> x, residual;
  // Of each group; the second is a variance where `epsilon` is not negative.
  Global<const W> mean, spread;
  Global<const W> gamma, beta;
  int64_t each;
  W epsilon;
  bool relu;
};

template <typename T, int N>
__global__ void normalise_kernel(Normalisation<T> n, Channels s) {
  using W = WideOf<T>;
  const ChannelShare share(s, N, true);
  const Pack<W, N> mean = of_groups<N>(n.mean, share, s, n.each);
  const Pack<W, N> spread = of_groups<N>(n.spread, share, s, n.each);
  const Pack<W, N> gamma = of_channels<N>(n.gamma, share, s);
  const Pack<W, N> beta = of_channels<N>(n.beta, share, s);
  Pack<W, N> scale;
  for (int k = 0; k < N; ++k) {
    const W inverse =
        n.epsilon < 0 ? spread.values[k] : 1 / math::sqrt(spread.values[k] + n.epsilon);
    scale.values[k] = gamma.values[k] * inverse;
  }
  struct Values {
    Pack<T, N> x, residual;
  };
  for_rows<Values>(
      share,
      [&](int64_t row) {
        const int64_t at = share.at(s, row);
        return Values{n.x.template load<N>(at),
                      n.residual ? n.residual.template load<N>(at) : Pack<T, N>{}};
      },
      [&](int64_t row, const Values& values) {
        const Pack<W, N> x = widen(values.x), residual = widen(values.residual);
        Pack<W, N> y;
        for (int k = 0; k < N; ++k) {
          y.values[k] = (x.values[k] - mean.values[k]) * scale.values[k] + beta.values[k];
          if (n.residual) y.values[k] += residual.values[k];
          if (n.relu) y.values[k] = y.values[k] < 0 ? W{0} : y.values[k];
        }
        n.y.template store<N>(share.at(s, row), narrow<T, N>(y));
      });
}

template <typename T>
void normalise(Queue& queue, const Normalisation<T>& normalisation, const Channels& shape,
               int width) {
  queue.launch(width == 1 ? normalise_kernel<T, 1> : normalise_kernel<T, kPackOf<T>>, shape.grid(),
               normalisation, shape);
}

// ---- Gradients, with g = dy, or 0 where y shows that ReLU let nothing pass, and
// xhat = (x - mean) inv_std

template <typename T>
struct Gradient {
  using W = WideOf<T>;
  Global<T> dx, dresidual;   // dresidual may not be there
  Global<const T> dy, x, y;  // y is there with ReLU alone
  Global<const W> mean, inv_std, gamma;
  int64_t each;

  // A pack of dy, of x and of y.
  template <int N>
  struct Values {
    Pack<T, N> dy, x, y;

    __device__ Pack<W, N> g(bool gated) const {
      Pack<W, N> g = widen(dy);
      if (!gated) return g;
      const Pack<W, N> passed = widen(y);
      for (int k = 0; k < N; ++k) g.values[k] = passed.values[k] > 0 ? g.values[k] : W{0};
      return g;
    }
  };
  template <int N>
  __device__ Values<N> load(int64_t at) const {
    return {dy.template load<N>(at), x.template load<N>(at),
            y ? y.template load<N>(at) : Pack<T, N>{}};
  }
};

// Sums of g and of g xhat over the rows of each part, to partial [2, images, channels, parts].
template <typename T, int N>
__global__ void sums_kernel(Global<WideOf<T>> partial, Gradient<T> d, Channels s) {
  using W = WideOf<T>;
  GATUN_SHARED(W, room, kChannelThreads * N);
  const ChannelShare share(s, N);
  const Pack<W, N> mean = of_groups<N>(d.mean, share, s, d.each);
  const Pack<W, N> inverse = of_groups<N>(d.inv_std, share, s, d.each);
  Pack<W, N> sum{}, product{};
  using Values = typename Gradient<T>::template Values<N>;
  for_rows<Values>(
      share, [&](int64_t row) { return d.template load<N>(share.at(s, row)); },
      [&](int64_t, const Values& values) {
        const Pack<W, N> g = values.g(bool(d.y)), x = widen(values.x);
        for (int k = 0; k < N; ++k) {
          sum.values[k] += g.values[k];
          product.values[k] += g.values[k] * ((x.values[k] - mean.values[k]) * inverse.values[k]);
        }
      });
  sum = sum_lanes<kChannelThreads>(sum, room, s.lanes);
  product = sum_lanes<kChannelThreads>(product, room, s.lanes);
  if (static_cast<int>(threadIdx.x) >= s.lanes || share.channel >= s.channels) return;
  const int64_t products_from = s.images * s.channels * s.parts;
  for (int k = 0; k < N; ++k) {
    const int64_t at = (share.image * s.channels + share.channel + k) * s.parts + share.part;
    partial[at] = sum.values[k];
    partial[products_from + at] = product.values[k];
  }
}

// What sums_kernel leaves, or what a convolution gave: then products are still to be multiplied by
// inv_std.
template <typename W>
struct Sums {
  Global<const W> partial;
  int64_t parts;
  bool given;
};

// The first teams: means of gamma g and of gamma g xhat over each picture's group, to means
// [2, images groups]. The others: dgamma and dbeta of each channel.
template <typename W, int kTeam>
__global__ void gradient_sums_kernel(Global<W> means, Global<W> dgamma, Global<W> dbeta,
                                     Sums<W> sums, Global<const W> gamma, Global<const W> inv_std,
                                     Channels s, int64_t each) {
  const int64_t groups = s.channels / each, all_groups = s.images * groups;
  const int64_t products_from = s.images * s.channels * sums.parts;
  const int64_t team = Team<kTeam>::row();
  if (team >= all_groups + s.channels) return;  // the whole team
  const bool of_group = team < all_groups;
  const int64_t index = of_group ? team : team - all_groups;
  // A group's values lie side by side; a channel's in each picture.
  const int64_t count = (of_group ? each : s.images) * sums.parts;
  double sum = 0, product = 0;
  GATUN_ROLL
  for (int64_t i = Team<kTeam>::member(); i < count; i += kTeam) {
    const int64_t outer = i / sums.parts, part = i % sums.parts;
    const int64_t row = of_group ? index * each + outer : outer * s.channels + index;
    const int64_t channel = row % s.channels, at = row * sums.parts + part;
    const double weight = of_group ? static_cast<double>(gamma[channel]) : 1.0;
    const double by = sums.given ? weight * inv_std[channel] : weight;
    sum += weight * sums.partial[at];
    product += by * sums.partial[products_from + at];
  }
  sum = Team<kTeam>::sum(sum);
  product = Team<kTeam>::sum(product);
  if (Team<kTeam>::member() != 0) return;
  if (of_group) {
    const auto over = static_cast<double>(each * s.rows);
    means[index] = static_cast<W>(sum / over);
    means[all_groups + index] = static_cast<W>(product / over);
  } else {
    dbeta[index] = static_cast<W>(sum);
    dgamma[index] = static_cast<W>(product);
  }
}

template <typename T, int N>
__global__ void gradient_kernel(Gradient<T> d, Global<const WideOf<T>> means, Channels s) {
  using W = WideOf<T>;
  const ChannelShare share(s, N, true);
  const Pack<W, N> mean = of_groups<N>(d.mean, share, s, d.each);
  const Pack<W, N> inverse = of_groups<N>(d.inv_std, share, s, d.each);
  const Pack<W, N> gamma = of_channels<N>(d.gamma, share, s);
  const Pack<W, N> sum = of_groups<N>(means, share, s, d.each);
  const Pack<W, N> product =
      of_groups<N>(means.at(s.images * (s.channels / d.each)), share, s, d.each);
  using Values = typename Gradient<T>::template Values<N>;
  for_rows<Values>(
      share, [&](int64_t row) { return d.template load<N>(share.at(s, row)); },
      [&](int64_t row, const Values& values) {
        const Pack<W, N> g = values.g(bool(d.y)), x = widen(values.x);
        Pack<W, N> dx;
        for (int k = 0; k < N; ++k) {
          const W xhat = (x.values[k] - mean.values[k]) * inverse.values[k];
          dx.values[k] = inverse.values[k] * (gamma.values[k] * g.values[k] -
                                              (sum.values[k] + xhat * product.values[k]));
        }
        const int64_t at = share.at(s, row);
        if (d.dresidual) d.dresidual.template store<N>(at, narrow<T, N>(g));
        d.dx.template store<N>(at, narrow<T, N>(dx));
      });
}

template <typename T>
void find_gradient(Queue& queue, const Gradient<T>& gradient, const Tensor& dgamma,
                   const Tensor& dbeta, const Tensor* given, const Channels& shape, int width) {
  using W = WideOf<T>;
  Sums<W> sums{elements<const W>(given), 1, true};
  if (given == nullptr) {
    const auto partial = queue.scratch<W>(2 * shape.images * shape.channels * shape.parts);
    queue.launch(width == 1 ? sums_kernel<T, 1> : sums_kernel<T, kPackOf<T>>, shape.grid(), partial,
                 gradient, shape);
    sums = {partial, shape.parts, false};
  }
  const int64_t groups = shape.images * (shape.channels / gradient.each);
  const auto means = queue.scratch<W>(2 * groups);
  const bool few = std::max(gradient.each, shape.images) * sums.parts <= kWarpSums;
  queue.launch(few ? gradient_sums_kernel<W, kWarp> : gradient_sums_kernel<W, kRowThreads>,
               rows_grid(groups + shape.channels, few ? kWarp : kRowThreads), means,
               elements<W>(dgamma), elements<W>(dbeta), sums, gradient.gamma, gradient.inv_std,
               shape, gradient.each);
  queue.launch(width == 1 ? gradient_kernel<T, 1> : gradient_kernel<T, kPackOf<T>>, shape.grid(),
               gradient, Global<const W>(means), shape);
}

// ---- The instructions

// Calls f(T, width).
template <typename F>
void with_channels(const Tensor& x, std::initializer_list<const Tensor*> tensors, F&& f) {
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const bool packed = are_aligned(tensors) && x.dims[x.rank - 1] % kPackOf<T> == 0;
    f(zero, packed ? kPackOf<T> : 1);
  });
}

// One picture of all rows.
Channels batch_shape(const Tensor& x, int width) {
  const int64_t channels = x.dims[x.rank - 1];
  return {1, channels == 0 ? 0 : x.count / channels, channels, width};
}

// A picture for each index of the first axis.
Channels group_shape(const Tensor& x, int width) {
  const int64_t images = x.dims[0], channels = x.dims[x.rank - 1];
  return {images, x.count == 0 ? 0 : x.count / images / channels, channels, width};
}

}  // namespace

namespace kernels {

void batch_norm_training(Queue& queue, const Tensor& y, const Tensor& mean, const Tensor& inv_std,
                         const Tensor& new_running_mean, const Tensor& new_running_variance,
                         const Tensor& x, const Tensor& gamma, const Tensor& beta,
                         const Tensor* residual, const Tensor* moments, const Tensor& running_mean,
                         const Tensor& running_variance, double momentum, double epsilon,
                         Activation activation) {
  with_channels(x, {&y, &x, residual}, [&](auto zero, int width) {
    using T = decltype(zero);
    using W = WideOf<T>;
    const Channels shape = batch_shape(x, width);
    const Statistics<W> statistics{elements<W>(mean),
                                   elements<W>(inv_std),
                                   epsilon,
                                   elements<W>(new_running_mean),
                                   elements<W>(new_running_variance),
                                   elements<const W>(running_mean),
                                   elements<const W>(running_variance),
                                   momentum};
    if (moments == nullptr) {
      find_statistics<T>(queue, x, shape, width, statistics, 1);
    } else {
      queue.launch(given_statistics_kernel<W>, elements_grid(shape.channels), statistics,
                   elements<const W>(moments), shape.channels, shape.rows);
    }
    normalise(queue,
              Normalisation<T>{elements<T>(y), elements<const T>(x), elements<const T>(residual),
                               elements<const W>(mean), elements<const W>(inv_std),
                               elements<const W>(gamma), elements<const W>(beta), 1, W{-1},
                               activation == Activation::RELU},
              shape, width);
  });
}

void batch_norm_inference(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& gamma,
                          const Tensor& beta, const Tensor* residual, const Tensor& running_mean,
                          const Tensor& running_variance, double epsilon, Activation activation) {
  if (x.count == 0) return;
  with_channels(x, {&y, &x, residual}, [&](auto zero, int width) {
    using T = decltype(zero);
    using W = WideOf<T>;
    normalise(queue,
              Normalisation<T>{elements<T>(y), elements<const T>(x), elements<const T>(residual),
                               elements<const W>(running_mean), elements<const W>(running_variance),
                               elements<const W>(gamma), elements<const W>(beta), 1,
                               static_cast<W>(epsilon), activation == Activation::RELU},
              batch_shape(x, width), width);
  });
}

void batch_norm_backward(Queue& queue, const Tensor& dx, const Tensor& dgamma, const Tensor& dbeta,
                         const Tensor* dresidual, const Tensor& dy, const Tensor& x,
                         const Tensor* y, const Tensor& mean, const Tensor& inv_std,
                         const Tensor& gamma, const Tensor* sums, Activation activation) {
  const Tensor* const gate = activation == Activation::RELU ? y : nullptr;
  with_channels(x, {&dx, dresidual, &dy, &x, gate}, [&](auto zero, int width) {
    using T = decltype(zero);
    using W = WideOf<T>;
    find_gradient(
        queue,
        Gradient<T>{elements<T>(dx), elements<T>(dresidual), elements<const T>(dy),
                    elements<const T>(x), elements<const T>(gate), elements<const W>(mean),
                    elements<const W>(inv_std), elements<const W>(gamma), 1},
        dgamma, dbeta, sums, batch_shape(x, width), width);
  });
}

void group_norm(Queue& queue, const Tensor& y, const Tensor& mean, const Tensor& inv_std,
                const Tensor& x, const Tensor& gamma, const Tensor& beta, int64_t groups,
                double epsilon) {
  if (x.count == 0) return;
  with_channels(x, {&y, &x}, [&](auto zero, int width) {
    using T = decltype(zero);
    using W = WideOf<T>;
    const Channels shape = group_shape(x, width);
    const int64_t each = shape.channels / groups;
    find_statistics<T>(
        queue, x, shape, width,
        Statistics<W>{elements<W>(mean), elements<W>(inv_std), epsilon, {}, {}, {}, {}, 0}, each);
    normalise(
        queue,
        Normalisation<T>{elements<T>(y), elements<const T>(x), Global<const T>(),
                         elements<const W>(mean), elements<const W>(inv_std),
                         elements<const W>(gamma), elements<const W>(beta), each, W{-1}, false},
        shape, width);
  });
}

void group_norm_backward(Queue& queue, const Tensor& dx, const Tensor& dgamma, const Tensor& dbeta,
                         const Tensor& dy, const Tensor& x, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, int64_t groups) {
  with_channels(x, {&dx, &dy, &x}, [&](auto zero, int width) {
    using T = decltype(zero);
    using W = WideOf<T>;
    const Channels shape = group_shape(x, width);
    find_gradient(
        queue,
        Gradient<T>{elements<T>(dx), Global<T>(), elements<const T>(dy), elements<const T>(x),
                    Global<const T>(), elements<const W>(mean), elements<const W>(inv_std),
                    elements<const W>(gamma), shape.channels / groups},
        dgamma, dbeta, nullptr, shape, width);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
