// The optimizer's passes over slabs. Learning rate and step are read on the device.
#include <limits>

#include "cuda/kernels/block.h"
#include "cuda/kernels/functions.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/packs.h"
#include "cuda/kernels/rows.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::AdamFactors;
using gatun::kernels::AdamRule;
using gatun::kernels::AdaptiveFactors;
using gatun::kernels::AdaptiveKind;
using gatun::kernels::AdaptiveRule;
using gatun::kernels::AdaptiveTensors;
using gatun::kernels::SgdRule;

constexpr int kOptimizerThreads = 256;
constexpr int64_t kElementsPerBlock = 16 * 1024;

template <typename T, int N>
__global__ void sum_squares_kernel(Global<double> sums, Global<const T> x, int64_t count) {
  const int64_t begin = int64_t{blockIdx.x} * kElementsPerBlock;
  const int64_t end = begin + kElementsPerBlock < count ? begin + kElementsPerBlock : count;
  double sum = 0;
  for (int64_t i = begin + int64_t{threadIdx.x} * N; i < end; i += kOptimizerThreads * N) {
    if (i + N <= end) {
      const Pack<T, N> pack = x.template load<N>(i);
      for (int k = 0; k < N; ++k) sum += static_cast<double>(pack.values[k]) * pack.values[k];
    } else {
      for (int64_t k = i; k < end; ++k) sum += static_cast<double>(x[k]) * x[k];
    }
  }
  sum = sum_block<kOptimizerThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <typename T>
__global__ void root_of_sum_kernel(Global<T> norm, Global<const double> sums, int64_t count) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kOptimizerThreads) sum += sums[i];
  sum = sum_block<kOptimizerThreads>(sum);
  if (threadIdx.x == 0) norm[0] = static_cast<T>(math::sqrt(sum));
}

// A norm that is not finite leaves what it is the norm of.
__device__ double clip_scale(double norm, double limit) {
  return norm > limit && norm - norm == 0 ? limit / norm : 1.0;
}

template <typename T>
struct Clip {
  Global<T> y;
  Global<const T> x, norm;
  double max_norm;

  template <int N>
  __device__ void at(int64_t i) const {
    const T scale = static_cast<T>(clip_scale(norm[0], max_norm));
    y.template store<N>(i, each(x.template load<N>(i), [=](T v) { return v * scale; }));
  }
};

template <typename T, int N, int kTeam>
__device__ double norm_of(const RowPart<T, N, kTeam>& row) {
  double sum = 0;
  row.for_each([&](int64_t, const Pack<T, N>& x) {
    for (int k = 0; k < N; ++k) sum += static_cast<double>(x.values[k]) * x.values[k];
  });
  return math::sqrt(Team<kTeam>::sum(sum));
}

template <typename T, int N, int kTeam>
__global__ void clip_rows_kernel(Global<T> y, Global<const T> x, Global<const T> reference,
                                 int64_t rows, int64_t columns, double ratio, double floor) {
  for (int64_t row = Team<kTeam>::row(); row < rows; row += Team<kTeam>::stride()) {
    const int64_t begin = row * columns;
    const RowPart<T, N, kTeam> part(x.at(begin), columns);
    double limit = ratio;
    if (reference) {
      const double length = norm_of(RowPart<T, N, kTeam>(reference.at(begin), columns));
      limit *= length < floor ? floor : length;  // NaN stays
    }
    const T scale = static_cast<T>(clip_scale(norm_of(part), limit));
    part.for_each([&](int64_t c, const Pack<T, N>& v) {
      y.template store<N>(begin + c, each(v, [=](T value) { return value * scale; }));
    });
  }
}

template <typename T>
struct Lerp {
  Global<T> y;
  Global<const T> a, b, weight;

  template <int N>
  __device__ void at(int64_t i) const {
    const T by = weight[0];
    y.template store<N>(i, each(a.template load<N>(i), b.template load<N>(i),
                                [=](T from, T to) { return from + by * (to - from); }));
  }
};

template <typename T>
struct Sgd {
  Global<T> new_parameter, new_velocity;
  Global<const T> parameter, velocity, gradient, learning_rate;
  SgdRule rule;

  template <int N>
  __device__ void at(int64_t i) const {
    const T now = learning_rate[0];
    const T gain = rule.rate_in_velocity ? now : T{1};
    const T rate = rule.rate_in_velocity ? T{1} : now;
    const T decay = static_cast<T>(rule.weight_decay), momentum = static_cast<T>(rule.momentum);
    const T share = static_cast<T>(1 - rule.dampening);
    const Pack<T, N> p = parameter.template load<N>(i);
    Pack<T, N> step =
        each(gradient.template load<N>(i), p, [=](T g, T w) { return gain * (g + decay * w); });
    if (velocity) {
      const Pack<T, N> v = each(velocity.template load<N>(i), step,
                                [=](T old, T d) { return momentum * old + share * d; });
      step = rule.nesterov ? each(step, v, [=](T d, T moved) { return d + momentum * moved; }) : v;
      new_velocity.template store<N>(i, v);
    }
    new_parameter.template store<N>(i, each(p, step, [=](T w, T d) { return w - rate * d; }));
  }
};

// A rule at the learning rate and the step of the moment, by one thread.
template <typename Factors, typename Rule, typename T>
__global__ void factors_kernel(Global<Factors> factors, Rule rule, Global<const T> learning_rate,
                               Global<const int64_t> step) {
  factors[0] = Factors(rule, static_cast<double>(learning_rate[0]), int64_t{step[0]});
}

template <typename Factors, typename T, typename Rule>
Global<const Factors> find_factors(Queue& queue, const Rule& rule, const Tensor& learning_rate,
                                   const Tensor& step) {
  const auto factors = queue.scratch<Factors>(1);
  queue.launch(factors_kernel<Factors, Rule, T>, Grid{{1}, {kWarp}}, factors, rule,
               elements<const T>(learning_rate), elements<const int64_t>(step));
  return factors;
}

// One that vanishes in T would make 0 / 0 of what has no gradient.
template <typename T>
__device__ T lasting_epsilon(double epsilon) {
  constexpr T least = std::numeric_limits<T>::min();
  return epsilon < least ? least : static_cast<T>(epsilon);
}

template <typename T>
struct Adam {
  Global<T> new_parameter, new_m, new_v;
  Global<const T> parameter, m, v, gradient;
  Global<const AdamFactors> factors;

  template <int N>
  __device__ void at(int64_t i) const {
    const AdamFactors by = factors[0];
    const T rate = static_cast<T>(by.rate), root_bias = static_cast<T>(by.root_bias);
    const T l2 = static_cast<T>(by.l2), keep = static_cast<T>(by.keep);
    const T beta1 = static_cast<T>(by.beta1), beta2 = static_cast<T>(by.beta2);
    const T share1 = static_cast<T>(1 - by.beta1), share2 = static_cast<T>(1 - by.beta2);
    const T epsilon = lasting_epsilon<T>(by.epsilon);
    Pack<T, N> p = parameter.template load<N>(i), first = m.template load<N>(i);
    Pack<T, N> second = v.template load<N>(i);
    const Pack<T, N> g = gradient.template load<N>(i);
    for (int k = 0; k < N; ++k) {
      T &w = p.values[k], &mean = first.values[k], &square = second.values[k];
      const T d = g.values[k] + l2 * w;
      mean = beta1 * mean + share1 * d;
      square = beta2 * square + share2 * d * d;
      w = keep * w - rate * (mean / (math::sqrt(square) * root_bias + epsilon));
    }
    new_m.template store<N>(i, first);
    new_v.template store<N>(i, second);
    new_parameter.template store<N>(i, p);
  }
};

// States that the rule does not keep are not there.
template <typename T>
struct Adaptive {
  Global<T> new_parameter, new_m, new_v, new_greatest;
  Global<const T> parameter, m, v, greatest, gradient;
  Global<const AdaptiveFactors> factors;
  AdaptiveKind kind;

  template <int N>
  __device__ static Pack<T, N> load(const Global<const T>& state, int64_t i) {
    return state ? state.template load<N>(i) : Pack<T, N>{};
  }
  template <int N>
  __device__ static void store(const Global<T>& state, int64_t i, const Pack<T, N>& values) {
    if (state) state.template store<N>(i, values);
  }

  template <int N>
  __device__ void at(int64_t i) const {
    const AdaptiveFactors by = factors[0];
    const T beta1 = static_cast<T>(by.beta1), beta2 = static_cast<T>(by.beta2);
    const T share1 = static_cast<T>(1 - by.beta1), rest2 = static_cast<T>(1 - by.beta2);
    const T share2 = static_cast<T>(by.share2), epsilon = lasting_epsilon<T>(by.epsilon);
    const T l2 = static_cast<T>(by.l2), keep = static_cast<T>(by.keep);
    const T rate = static_cast<T>(by.rate), root_bias = static_cast<T>(by.root_bias);
    const T rate_m = static_cast<T>(by.rate_m), rate_d = static_cast<T>(by.rate_d);
    Pack<T, N> p = parameter.template load<N>(i), first = load<N>(m, i), second = load<N>(v, i);
    Pack<T, N> most = load<N>(greatest, i);
    const Pack<T, N> g = gradient.template load<N>(i);
    for (int k = 0; k < N; ++k) {
      T &w = p.values[k], &mean = first.values[k], &square = second.values[k];
      const T d = g.values[k] + l2 * w;
      T move;
      if (kind == AdaptiveKind::LION) {
        const T way = beta1 * mean + share1 * d;
        move = math::is_nan(way) ? way : way > 0 ? rate : way < 0 ? -rate : T{0};
        mean = beta2 * mean + rest2 * d;
      } else {
        square = beta2 * square + share2 * d * d;
        T under_root = square;
        if (kind == AdaptiveKind::AMSGRAD) {
          T& peak = most.values[k];
          peak = peak < square || math::is_nan(square) ? square : peak;
          under_root = peak;
        }
        const T root = math::sqrt(under_root) * root_bias + epsilon;
        if (kind == AdaptiveKind::RMSPROP && m) {
          mean = beta1 * mean + d / root;
          move = rate * mean;
        } else {
          if (m) mean = beta1 * mean + share1 * d;
          move = (rate_m * mean + rate_d * d) / root;
        }
      }
      w = keep * w - move;
    }
    store<N>(new_m, i, first);
    store<N>(new_v, i, second);
    store<N>(new_greatest, i, most);
    new_parameter.template store<N>(i, p);
  }
};

}  // namespace

namespace kernels {

void norm(Queue& queue, const Tensor& norm, const Tensor& x) {
  const int64_t blocks = (x.count + kElementsPerBlock - 1) / kElementsPerBlock;
  with_real(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Global<double> sums = queue.scratch<double>(blocks);
    with_packs<T>(are_aligned({&x}), [&](auto width) {
      queue.launch(sum_squares_kernel<T, decltype(width)::value>,
                   Grid{{static_cast<uint32_t>(blocks)}, {kOptimizerThreads}}, sums,
                   elements<const T>(x), x.count);
    });
    queue.launch(root_of_sum_kernel<T>, Grid{{1}, {kOptimizerThreads}}, elements<T>(norm),
                 Global<const double>(sums), blocks);
  });
}

void clip_by_norm(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& norm,
                  double max_norm) {
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(
        queue, y.count, are_aligned({&y, &x}),
        Clip<T>{elements<T>(y), elements<const T>(x), elements<const T>(norm), max_norm});
  });
}

void clip_rows(Queue& queue, const Tensor& y, const Tensor& x, const Tensor* reference,
               double ratio, double floor) {
  const int64_t rows = x.dims[0], columns = x.dims[1];
  if (x.count == 0) return;
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_rows<T>(columns, are_aligned({&y, &x, reference}), [&](auto width, auto team) {
      constexpr int N = decltype(width)::value, kTeam = decltype(team)::value;
      queue.launch(clip_rows_kernel<T, N, kTeam>, rows_grid(rows, kTeam), elements<T>(y),
                   elements<const T>(x), elements<const T>(reference), rows, columns, ratio, floor);
    });
  });
}

void lerp(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor& weight) {
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(queue, y.count, are_aligned({&y, &a, &b}),
                   Lerp<T>{elements<T>(y), elements<const T>(a), elements<const T>(b),
                           elements<const T>(weight)});
  });
}

void sgd_step(Queue& queue, const Tensor& new_parameter, const Tensor* new_velocity,
              const Tensor& parameter, const Tensor* velocity, const Tensor& gradient,
              const Tensor& learning_rate, const SgdRule& rule) {
  with_real(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(queue, parameter.count,
                   are_aligned({&new_parameter, new_velocity, &parameter, velocity, &gradient}),
                   Sgd<T>{elements<T>(new_parameter), elements<T>(new_velocity),
                          elements<const T>(parameter), elements<const T>(velocity),
                          elements<const T>(gradient), elements<const T>(learning_rate), rule});
  });
}

void adam_step(Queue& queue, const Tensor& new_parameter, const Tensor& new_m, const Tensor& new_v,
               const Tensor& parameter, const Tensor& m, const Tensor& v, const Tensor& gradient,
               const Tensor& learning_rate, const Tensor& step, const AdamRule& rule) {
  with_real(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(queue, parameter.count,
                   are_aligned({&new_parameter, &new_m, &new_v, &parameter, &m, &v, &gradient}),
                   Adam<T>{elements<T>(new_parameter), elements<T>(new_m), elements<T>(new_v),
                           elements<const T>(parameter), elements<const T>(m), elements<const T>(v),
                           elements<const T>(gradient),
                           find_factors<AdamFactors, T>(queue, rule, learning_rate, step)});
  });
}

void adaptive_step(Queue& queue, const AdaptiveTensors& t, const Tensor& learning_rate,
                   const Tensor& step, const AdaptiveRule& rule) {
  with_real(t.parameter->dtype, [&](auto zero) {
    using T = decltype(zero);
    launch_work<T>(
        queue, t.parameter->count,
        are_aligned({t.new_parameter, t.new_m, t.new_v, t.new_greatest, t.parameter, t.m, t.v,
                     t.greatest, t.gradient}),
        Adaptive<T>{elements<T>(t.new_parameter), elements<T>(t.new_m), elements<T>(t.new_v),
                    elements<T>(t.new_greatest), elements<const T>(t.parameter),
                    elements<const T>(t.m), elements<const T>(t.v), elements<const T>(t.greatest),
                    elements<const T>(t.gradient),
                    find_factors<AdaptiveFactors, T>(queue, rule, learning_rate, step), rule.kind});
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
