// The optimizer's passes over slabs. Learning rate and step are read on the device.
#include "cuda/kernels/block.h"
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::AdamRule;
using gatun::kernels::SgdRule;

constexpr int kThreads = 256;
constexpr int64_t kElementsPerBlock = 16 * 1024;

template <typename T>
__global__ void sum_squares_kernel(Global<double> sums, Global<const T> x, int64_t count) {
  const int64_t begin = int64_t{blockIdx.x} * kElementsPerBlock;
  const int64_t end = begin + kElementsPerBlock < count ? begin + kElementsPerBlock : count;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double value = x[i];
    sum += value * value;
  }
  sum = sum_block<kThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <typename T>
__global__ void root_of_sum_kernel(Global<T> norm, Global<const double> sums, int64_t count) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
  sum = sum_block<kThreads>(sum);
  if (threadIdx.x == 0) norm[0] = static_cast<T>(math::sqrt(sum));
}

template <typename T>
__global__ void clip_kernel(Global<T> y, Global<const T> x, Global<const T> norm, int64_t count,
                            double max_norm) {
  const double length = norm[0];
  // A norm that is not finite leaves x as it is.
  const bool clips = length > max_norm && length - length == 0;
  const T scale = static_cast<T>(clips ? max_norm / length : 1.0);
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) y[i] = x[i] * scale;
}

template <typename T>
__global__ void lerp_kernel(Global<T> y, Global<const T> a, Global<const T> b,
                            Global<const T> weight, int64_t count) {
  const T by = weight[0];
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const T from = a[i];
    y[i] = from + by * (b[i] - from);
  }
}

template <typename T>
struct SgdTensors {
  Global<T> new_parameter, new_velocity;
  Global<const T> parameter, velocity, gradient, learning_rate;
};

template <typename T>
__global__ void sgd_kernel(SgdTensors<T> s, int64_t count, SgdRule rule) {
  const T now = s.learning_rate[0];
  const T gain = rule.rate_in_velocity ? now : T{1};
  const T rate = rule.rate_in_velocity ? T{1} : now;
  const T decay = static_cast<T>(rule.weight_decay), momentum = static_cast<T>(rule.momentum);
  const T share = static_cast<T>(1 - rule.dampening);
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const T parameter = s.parameter[i];
    T step = gain * (s.gradient[i] + decay * parameter);
    if (s.velocity) {
      const T v = momentum * s.velocity[i] + share * step;
      step = rule.nesterov ? step + momentum * v : v;
      s.new_velocity[i] = v;
    }
    s.new_parameter[i] = parameter - rate * step;
  }
}

template <typename T>
struct AdamTensors {
  Global<T> new_parameter, new_m, new_v;
  Global<const T> parameter, m, v, gradient, learning_rate;
  Global<const int64_t> step;
};

template <typename T>
__global__ void adam_kernel(AdamTensors<T> s, int64_t count, AdamRule rule) {
  const double learning_rate = s.learning_rate[0];
  const auto t = static_cast<double>(s.step[0] + 1);
  const T rate = static_cast<T>(learning_rate / (1 - math::pow(rule.beta1, t)));
  const T root_bias = static_cast<T>(1 / math::sqrt(1 - math::pow(rule.beta2, t)));
  const T l2 = static_cast<T>(rule.decoupled ? 0 : rule.weight_decay);
  const T keep = static_cast<T>(rule.decoupled ? 1 - learning_rate * rule.weight_decay : 1);
  const T beta1 = static_cast<T>(rule.beta1), beta2 = static_cast<T>(rule.beta2);
  const T share1 = static_cast<T>(1 - rule.beta1), share2 = static_cast<T>(1 - rule.beta2);
  const T epsilon = static_cast<T>(rule.epsilon);
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const T parameter = s.parameter[i];
    const T d = s.gradient[i] + l2 * parameter;
    const T m = beta1 * s.m[i] + share1 * d;
    const T v = beta2 * s.v[i] + share2 * d * d;
    s.new_m[i] = m;
    s.new_v[i] = v;
    s.new_parameter[i] = keep * parameter - rate * (m / (math::sqrt(v) * root_bias + epsilon));
  }
}

}  // namespace

namespace kernels {

void norm(Queue& queue, const Tensor& norm, const Tensor& x) {
  const int64_t blocks = (x.count + kElementsPerBlock - 1) / kElementsPerBlock;
  with_real(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Global<double> sums = queue.scratch<double>(blocks);
    queue.launch(sum_squares_kernel<T>, Grid{{static_cast<uint32_t>(blocks)}, {kThreads}}, sums,
                 elements<const T>(x), x.count);
    queue.launch(root_of_sum_kernel<T>, Grid{{1}, {kThreads}}, elements<T>(norm),
                 Global<const double>(sums), blocks);
  });
}

void clip_by_norm(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& norm,
                  double max_norm) {
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(clip_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(x),
                 elements<const T>(norm), y.count, max_norm);
  });
}

void lerp(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor& weight) {
  with_real(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(lerp_kernel<T>, elements_grid(y.count), elements<T>(y), elements<const T>(a),
                 elements<const T>(b), elements<const T>(weight), y.count);
  });
}

void sgd_step(Queue& queue, const Tensor& new_parameter, const Tensor* new_velocity,
              const Tensor& parameter, const Tensor* velocity, const Tensor& gradient,
              const Tensor& learning_rate, const SgdRule& rule) {
  with_real(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    const SgdTensors<T> tensors{elements<T>(new_parameter),   elements<T>(new_velocity),
                                elements<const T>(parameter), elements<const T>(velocity),
                                elements<const T>(gradient),  elements<const T>(learning_rate)};
    queue.launch(sgd_kernel<T>, elements_grid(parameter.count), tensors, parameter.count, rule);
  });
}

void adam_step(Queue& queue, const Tensor& new_parameter, const Tensor& new_m, const Tensor& new_v,
               const Tensor& parameter, const Tensor& m, const Tensor& v, const Tensor& gradient,
               const Tensor& learning_rate, const Tensor& step, const AdamRule& rule) {
  with_real(parameter.dtype, [&](auto zero) {
    using T = decltype(zero);
    const AdamTensors<T> tensors{elements<T>(new_parameter),   elements<T>(new_m),
                                 elements<T>(new_v),           elements<const T>(parameter),
                                 elements<const T>(m),         elements<const T>(v),
                                 elements<const T>(gradient),  elements<const T>(learning_rate),
                                 elements<const int64_t>(step)};
    queue.launch(adam_kernel<T>, elements_grid(parameter.count), tensors, parameter.count, rule);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
