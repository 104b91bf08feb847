// Memory-bound instructions against the bandwidth measured in the same seconds.
// Usage: memory_bench [--threads N] [--seconds S] [FILTER]
// A row says how long the instruction takes at best, the bytes it must move at least (each operand
// once for each pass the arithmetic needs), and what share that is of a reference which moves the
// same mix of reads and writes: copies where it writes elsewhere, updates where it writes in place.
// One thread is timed by its processor time, so other work on the machine disturbs little; several
// threads by the clock.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gatun.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

int threads = 1;
double seconds = 0.3;
std::string filter;

void check(gt_status status) {
  if (status == GT_OK) return;
  std::fprintf(stderr, "%s\n", gt_last_error_message());
  std::exit(1);
}

double now() {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// ---- The references: each thread works on its share of the memory.

#if defined(__x86_64__)
#define WIDE __attribute__((noinline, target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define WIDE __attribute__((noinline))
#endif

WIDE int32_t sum(const int32_t* x, int64_t n) {
  int32_t s = 0;
  for (int64_t i = 0; i < n; ++i) s += x[i];
  return s;
}

WIDE void scale(float* x, int64_t n, float by) {
  for (int64_t i = 0; i < n; ++i) x[i] *= by;
}

WIDE void copy(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i];
}

// n is a multiple of 16.
void copy_past_caches(float* y, const float* x, int64_t n) {
#if defined(__x86_64__)
  for (int64_t i = 0; i < n; i += 16) {
    for (int64_t j = i; j < i + 16; j += 4) _mm_stream_ps(y + j, _mm_load_ps(x + j));
  }
  _mm_sfence();
#else
  copy(y, x, n);
#endif
}

struct Machine {
  gt_device device = nullptr;
  gt_stream stream = nullptr;

  Machine() {
    check(gt_device_create(&device, GT_DEVICE_CPU, 0, threads));
    check(gt_stream_create(&stream, device));
  }
  ~Machine() {
    gt_stream_destroy(stream);
    gt_device_destroy(device);
  }
};

struct Array {
  gt_buffer buffer = nullptr;
  gt_tensor tensor = nullptr;
  void* data = nullptr;

  Array(const Machine& machine, int32_t dtype, std::vector<int64_t> dims, float value = 0.01f) {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    const int64_t bytes = count * (dtype == GT_I64 ? 8 : dtype == GT_U8 ? 1 : 4);
    check(gt_buffer_create(&buffer, machine.device, bytes, GT_MEMORY_DEVICE));
    check(gt_tensor_create(&tensor, buffer, 0, dtype, static_cast<int32_t>(dims.size()),
                           dims.data()));
    check(gt_buffer_map(&data, buffer));
    if (dtype != GT_F32) return;
    auto* x = static_cast<float*>(data);
    for (int64_t i = 0; i < count; ++i) x[i] = value * static_cast<float>(1 + i % 7);
  }
  Array(const Array&) = delete;
  ~Array() {
    gt_tensor_destroy(tensor);
    gt_buffer_destroy(buffer);
  }
  operator gt_tensor() const { return tensor; }
};

double best_of(double limit, const std::function<void()>& work) {
  double best = 1e9;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit);
  do {
    const double begin = now();
    work();
    best = std::min(best, now() - begin);
  } while (std::chrono::steady_clock::now() < end);
  return best;
}

void on_all_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
  work(0);
  for (std::thread& other : others) other.join();
}

// GB/s of reads and writes together, over `bytes` of memory that is gone through `times` times.
struct Bandwidth {
  double read, copy, update;

  Bandwidth(const Machine& machine, int64_t bytes) {
    const int64_t n = bytes / 4;
    const int times = static_cast<int>(std::max<int64_t>(1, (int64_t{128} << 20) / bytes));
    Array memory(machine, GT_F32, {n});
    auto* x = static_cast<float*>(memory.data);
    const int64_t part = n / threads;
    int32_t total = 0;
    const auto rate = [&](int64_t moved, const std::function<void(float*)>& pass) {
      const double time = best_of(seconds, [&] {
        on_all_threads([&](int t) {
          for (int i = 0; i < times; ++i) pass(x + t * part);
        });
      });
      return static_cast<double>(moved) * threads * times / time * 1e-9;
    };
    read = rate(4 * part, [&](float* p) {
      const int32_t part_sum = sum(reinterpret_cast<int32_t*>(p), part);
      std::atomic_ref(total).fetch_add(part_sum, std::memory_order_relaxed);
    });
    const int64_t half = part / 2;
    copy = rate(8 * half, [&](float* p) { ::copy(p + half, p, half); });
    copy = std::max(copy, rate(8 * half, [&](float* p) { copy_past_caches(p + half, p, half); }));
    update = rate(8 * part, [&](float* p) { scale(p, part, 1.0f); });
  }
};

void row(const Machine& machine, const std::string& name, double megabytes, double reference,
         const std::function<gt_status(gt_stream)>& instruction) {
  gt_program program = nullptr;
  check(gt_stream_begin_recording(machine.stream));
  check(instruction(machine.stream));
  check(gt_stream_end_recording(&program, machine.stream));
  check(gt_program_run(program));
  const double time = best_of(seconds, [&] { check(gt_program_run(program)); });
  gt_program_destroy(program);
  const double rate = megabytes * 1e-3 / time;
  std::printf("%-44s %9.3f ms %8.1f MB %7.1f GB/s %6.2f of reference\n", name.c_str(), time * 1e3,
              megabytes, rate, rate / reference);
  std::fflush(stdout);
}

bool wanted(const std::string& name) { return name.find(filter) != std::string::npos; }

void batch_norm(const Machine& m, const Bandwidth& bandwidth, std::vector<int64_t> dims,
                bool residual, int32_t activation) {
  std::string name = "batch_norm/";
  double count = 1;
  for (const int64_t d : dims) {
    count *= static_cast<double>(d);
    if (name.back() != '/') name += 'x';
    name += std::to_string(d);
  }
  if (residual) name += "/residual";
  if (activation == GT_ACTIVATION_RELU) name += "/relu";
  if (!wanted(name)) return;
  const double mb = count * 4e-6;
  const std::vector<int64_t> c = {dims.back()};
  const Array x(m, GT_F32, dims), y(m, GT_F32, dims), dy(m, GT_F32, dims), dx(m, GT_F32, dims);
  const Array added(m, GT_F32, residual ? dims : c), passed(m, GT_F32, residual ? dims : c);
  const Array mean(m, GT_F32, c), inv_std(m, GT_F32, c), running_mean(m, GT_F32, c);
  const Array running_variance(m, GT_F32, c), gamma(m, GT_F32, c), beta(m, GT_F32, c);
  const Array dgamma(m, GT_F32, c), dbeta(m, GT_F32, c);
  row(m, name + "/training", mb * (3 + residual), bandwidth.copy, [&](gt_stream s) {
    return gt_batch_norm_training(s, y, mean, inv_std, running_mean, running_variance, x, gamma,
                                  beta, residual ? added : gt_tensor{}, nullptr, running_mean,
                                  running_variance, 0.1, 1e-5, activation);
  });
  row(m, name + "/backward", mb * (5 + residual + 2 * activation), bandwidth.copy,
      [&](gt_stream s) {
        return gt_batch_norm_backward(s, dx, dgamma, dbeta, residual ? passed : gt_tensor{}, dy, x,
                                      activation ? y : gt_tensor{}, mean, inv_std, gamma, nullptr,
                                      activation);
      });
}

void optimizer(const Machine& m, const Bandwidth& bandwidth) {
  constexpr int64_t kParameters = 25'000'000;
  const double mb = kParameters * 4e-6;
  if (!wanted("adam") && !wanted("sgd") && !wanted("norm") && !wanted("clip")) return;
  const Array p(m, GT_F32, {kParameters}), g(m, GT_F32, {kParameters});
  const Array v(m, GT_F32, {kParameters}), w(m, GT_F32, {kParameters});
  const Array rate(m, GT_F32, {}), norm(m, GT_F32, {}, 1e6f), step(m, GT_I64, {});
  if (wanted("adam")) {
    row(m, "adam/25M", mb * 7, bandwidth.update, [&](gt_stream s) {
      return gt_adam_step(s, p, v, w, p, v, w, g, rate, step, 0.9, 0.999, 1e-8, 0.01, 1);
    });
  }
  if (wanted("sgd")) {
    row(m, "sgd/25M", mb * 5, bandwidth.update,
        [&](gt_stream s) { return gt_sgd_step(s, p, v, p, v, g, rate, 0.9, 0, 1e-4, 0, 0); });
  }
  if (wanted("norm/")) {
    row(m, "norm/25M", mb, bandwidth.read, [&](gt_stream s) { return gt_norm(s, rate, g); });
  }
  if (wanted("clip")) {
    row(m, "clip/25M", mb * 2, bandwidth.update,
        [&](gt_stream s) { return gt_clip_by_norm(s, g, g, norm, 1e-30); });
  }
}

void elementwise(const Machine& m, const Bandwidth& far, const Bandwidth& near) {
  for (const int64_t n : {int64_t{1} << 21, int64_t{64'000'000}}) {
    const Bandwidth& bandwidth = n < 10'000'000 ? near : far;
    const double mb = static_cast<double>(n) * 4e-6;
    const std::string size = n < 10'000'000 ? "2M" : "64M";
    if (!wanted("dropout/" + size) && !wanted("add/" + size) && !wanted("relu/" + size)) continue;
    const Array x(m, GT_F32, {n}), y(m, GT_F32, {n}), step(m, GT_I64, {});
    if (wanted("dropout/" + size)) {
      row(m, "dropout/" + size, mb * 2, bandwidth.copy,
          [&](gt_stream s) { return gt_dropout(s, y, x, step, 0.5, 1, 1); });
    }
    if (wanted("relu/" + size)) {
      row(m, "relu/" + size, mb * 2, bandwidth.copy,
          [&](gt_stream s) { return gt_unary(s, y, x, GT_UNARY_RELU); });
    }
    if (wanted("add/" + size)) {
      row(m, "add/" + size, mb * 3, bandwidth.update,
          [&](gt_stream s) { return gt_binary(s, y, y, x, GT_BINARY_ADD); });
    }
  }
}

// What arithmetic costs: a linear function, those with an exponential, their gradients.
void activations(const Machine& m, const Bandwidth& bandwidth) {
  if (!wanted("activation")) return;
  constexpr int64_t n = 16 << 20;
  const double mb = n * 4e-6;
  const Array x(m, GT_F32, {n}), y(m, GT_F32, {n});
  const auto unary = [&](const char* name, int32_t op) {
    row(m, std::string("activation/16M/") + name, mb * 2, bandwidth.copy,
        [&, op](gt_stream s) { return gt_unary(s, y, x, op); });
  };
  unary("relu", GT_UNARY_RELU);
  unary("sigmoid", GT_UNARY_SIGMOID);
  unary("tanh", GT_UNARY_TANH);
  const char* const names[] = {"leaky_relu", "elu", "gelu", "gelu_tanh", "silu", "softplus"};
  for (int32_t f = 0; f <= GT_ACTIVATE_SOFTPLUS; ++f) {
    const std::string name = std::string("activation/16M/") + names[f];
    row(m, name, mb * 2, bandwidth.copy,
        [&, f](gt_stream s) { return gt_activate(s, y, x, f, 0.5); });
    row(m, name + "/backward", mb * 3, bandwidth.update,
        [&, f](gt_stream s) { return gt_activate_backward(s, y, y, x, f, 0.5); });
  }
}

void group_norm(const Machine& m, const Bandwidth& bandwidth) {
  if (!wanted("group_norm")) return;
  constexpr int64_t kPictures = 64, kSide = 56, kChannels = 64, kGroups = 32;
  constexpr int64_t n = kPictures * kSide * kSide * kChannels;
  const double mb = n * 4e-6;
  const Array x(m, GT_F32, {kPictures, kSide, kSide, kChannels});
  const Array y(m, GT_F32, {kPictures, kSide, kSide, kChannels});
  const Array dx(m, GT_F32, {kPictures, kSide, kSide, kChannels});
  const Array mean(m, GT_F32, {kPictures, kGroups}), inv_std(m, GT_F32, {kPictures, kGroups});
  const Array gamma(m, GT_F32, {kChannels}), beta(m, GT_F32, {kChannels});
  const Array dgamma(m, GT_F32, {kChannels});
  row(m, "group_norm/64x56x56x64/forward", mb * 2, bandwidth.copy, [&](gt_stream s) {
    return gt_group_norm(s, y, mean, inv_std, x, gamma, beta, kGroups, 1e-5);
  });
  row(m, "group_norm/64x56x56x64/backward", mb * 3, bandwidth.copy, [&](gt_stream s) {
    return gt_group_norm_backward(s, dx, dgamma, beta, y, x, mean, inv_std, gamma, kGroups);
  });
}

// GELU by the hyperbolic tangent and SiLU, op by op and in one pass.
void chains(const Machine& m, const Bandwidth& far, const Bandwidth& near) {
  const std::vector<gt_step> silu = {{GT_STEP_UNARY, GT_UNARY_SIGMOID, 0, 0, 0, 0},
                                     {GT_STEP_BINARY, GT_BINARY_MULTIPLY, 0, 1, 0, 0}};
  const std::vector<gt_step> gelu = {{GT_STEP_UNARY, GT_UNARY_SQUARE, 0, 0, 0, 0},
                                     {GT_STEP_BINARY, GT_BINARY_MULTIPLY, 1, 0, 0, 0},
                                     {GT_STEP_AFFINE, 0, 2, 0, 0.044715, 0},
                                     {GT_STEP_BINARY, GT_BINARY_ADD, 3, 0, 0, 0},
                                     {GT_STEP_AFFINE, 0, 4, 0, 0.7978845608, 0},
                                     {GT_STEP_UNARY, GT_UNARY_TANH, 5, 0, 0, 0},
                                     {GT_STEP_AFFINE, 0, 6, 0, 0.5, 0.5},
                                     {GT_STEP_BINARY, GT_BINARY_MULTIPLY, 7, 0, 0, 0}};
  for (const int64_t n : {int64_t{1} << 21, int64_t{32'000'000}}) {
    const Bandwidth& bandwidth = n < 10'000'000 ? near : far;
    const std::string size = n < 10'000'000 ? "2M" : "32M";
    for (const auto& [name, steps] : {std::pair{"silu/" + size, silu}, {"gelu/" + size, gelu}}) {
      if (!wanted(name)) continue;
      const Array x(m, GT_F32, {n}), y(m, GT_F32, {n});
      const double mb = static_cast<double>(n) * 8e-6;
      const gt_tensor input = x;
      const auto count = static_cast<int32_t>(steps.size());
      row(m, name + "/one pass", mb, bandwidth.copy,
          [&](gt_stream s) { return gt_elementwise(s, y, &input, 1, steps.data(), count); });
      row(m, name + "/op by op", mb, bandwidth.copy, [&](gt_stream s) {
        // Each step reads x and the value before it.
        for (int32_t k = 0; k < count; ++k) {
          const gt_step& step = steps[k];
          const gt_tensor a = step.a == 0 ? gt_tensor(x) : gt_tensor(y);
          const gt_tensor b = step.b == 0 ? gt_tensor(x) : gt_tensor(y);
          if (step.kind == GT_STEP_UNARY) check(gt_unary(s, y, a, step.op));
          if (step.kind == GT_STEP_BINARY) check(gt_binary(s, y, a, b, step.op));
          if (step.kind == GT_STEP_AFFINE) check(gt_affine(s, y, a, step.scale, step.shift));
        }
        return GT_OK;
      });
    }
  }
}

void layer_norm(const Machine& m, const Bandwidth& bandwidth) {
  if (!wanted("layer_norm")) return;
  constexpr int64_t kRows = 8192, kColumns = 1024;
  const double mb = kRows * kColumns * 4e-6;
  const Array x(m, GT_F32, {kRows, kColumns}), y(m, GT_F32, {kRows, kColumns});
  const Array dx(m, GT_F32, {kRows, kColumns}), mean(m, GT_F32, {kRows, 1});
  const Array inv_std(m, GT_F32, {kRows, 1}), gamma(m, GT_F32, {kColumns});
  const Array beta(m, GT_F32, {kColumns}), dgamma(m, GT_F32, {kColumns});
  row(m, "layer_norm/8192x1024/forward", mb * 2, bandwidth.copy,
      [&](gt_stream s) { return gt_layer_norm(s, y, mean, inv_std, x, gamma, beta, 1e-5); });
  row(m, "layer_norm/8192x1024/backward", mb * 3, bandwidth.copy, [&](gt_stream s) {
    return gt_layer_norm_backward(s, dx, dgamma, beta, y, x, mean, inv_std, gamma);
  });
}

void loss(const Machine& m, const Bandwidth& bandwidth) {
  if (!wanted("softmax_cross_entropy")) return;
  constexpr int64_t kRows = 4096, kClasses = 1000;
  const double mb = kRows * kClasses * 4e-6;
  const Array logits(m, GT_F32, {kRows, kClasses}), dlogits(m, GT_F32, {kRows, kClasses});
  const Array labels(m, GT_I32, {kRows}), value(m, GT_F32, {}), correct(m, GT_I32, {});
  const Array dloss(m, GT_F32, {});
  row(m, "softmax_cross_entropy/4096x1000/forward", mb, bandwidth.read, [&](gt_stream s) {
    return gt_softmax_cross_entropy(s, value, correct, logits, labels, nullptr, 0);
  });
  row(m, "softmax_cross_entropy/4096x1000/backward", mb * 2, bandwidth.copy, [&](gt_stream s) {
    return gt_softmax_cross_entropy_backward(s, dlogits, logits, labels, nullptr, dloss, 0);
  });
  row(m, "softmax_cross_entropy/4096x1000/training", mb * 2, bandwidth.copy, [&](gt_stream s) {
    return gt_softmax_cross_entropy_training(s, value, correct, dlogits, logits, labels, nullptr,
                                             dloss, 0);
  });
  row(m, "softmax_cross_entropy/4096x1000/smoothed", mb * 2, bandwidth.copy, [&](gt_stream s) {
    return gt_softmax_cross_entropy_training(s, value, correct, dlogits, logits, labels, nullptr,
                                             dloss, 0.1);
  });
  const Array soft(m, GT_F32, {kRows, kClasses});
  row(m, "softmax_cross_entropy/4096x1000/distributions", mb * 3, bandwidth.copy, [&](gt_stream s) {
    return gt_softmax_cross_entropy_training(s, value, correct, dlogits, logits, soft, nullptr,
                                             dloss, 0);
  });
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      threads = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else {
      filter = argv[i];
    }
  }
  const Machine machine;
  char description[100];
  check(gt_device_describe(machine.device, description, sizeof description));
  const Bandwidth near(machine, int64_t{16} << 20), far(machine, int64_t{256} << 20);
  std::printf("%s\n16 MB: read %.1f, copy %.1f, update %.1f GB/s\n", description, near.read,
              near.copy, near.update);
  std::printf("256 MB: read %.1f, copy %.1f, update %.1f GB/s\n", far.read, far.copy, far.update);
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{128, 32, 32, 16}, {128, 16, 16, 32}, {128, 8, 8, 64}}) {
    batch_norm(machine, near, dims, false, GT_ACTIVATION_RELU);
    batch_norm(machine, near, dims, true, GT_ACTIVATION_RELU);
  }
  batch_norm(machine, near, {16, 14, 14, 1024}, true, GT_ACTIVATION_RELU);
  batch_norm(machine, near, {16, 28, 28, 128}, false, GT_ACTIVATION_RELU);
  batch_norm(machine, far, {64, 56, 56, 64}, false, GT_ACTIVATION_NONE);
  batch_norm(machine, far, {64, 56, 56, 64}, true, GT_ACTIVATION_RELU);
  optimizer(machine, far);
  elementwise(machine, far, near);
  activations(machine, far);
  group_norm(machine, far);
  chains(machine, far, near);
  layer_norm(machine, far);
  loss(machine, near);
}
