// Every convolution of ResNet-20 and ResNet-50 v1.5, and products of dense layers. share% is of the
// FMA peak and counts taps inside x; nominal% counts those in the padding too, as other libraries'
// figures do. Names: pass/batch/height x channels -> channels, kernel, stride/threads; cold is
// forward.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "fma_peak.h"
#include "gatun.h"

namespace {

void check(gt_status status) {
  if (status == GT_OK) return;
  std::fprintf(stderr, "%s\n", gt_last_error_message());
  std::exit(1);
}

struct Machine {
  gt_device device = nullptr;
  gt_stream stream = nullptr;

  explicit Machine(int threads) {
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

  Array(const Machine& machine, std::vector<int64_t> dims) {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    check(gt_buffer_create(&buffer, machine.device, count * 4, GT_MEMORY_DEVICE));
    check(gt_tensor_create(&tensor, buffer, 0, GT_F32, static_cast<int32_t>(dims.size()),
                           dims.data()));
    const std::vector<float> values(count, 0.01f);
    check(gt_buffer_write(buffer, 0, values.data(), count * 4));
  }
  ~Array() {
    gt_tensor_destroy(tensor);
    gt_buffer_destroy(buffer);
  }
};

double wall_seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double quantile(std::vector<double>& values, double q) {
  const auto middle =
      values.begin() + static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Times one instruction beside the FMA peak of the same moments. With one thread the times are CPU
// time, so that a busy machine does not blur them.
template <typename Instruction>
void measure(benchmark::State& state, const Machine& machine, int threads, double flops,
             Instruction&& instruction) {
  using gatun::bench::fma_peak;
  const auto clock = threads == 1 ? gatun::bench::thread_seconds : wall_seconds;
  gt_program program = nullptr;
  check(gt_stream_begin_recording(machine.stream));
  check(instruction());
  check(gt_stream_end_recording(&program, machine.stream));
  check(gt_program_run(program));
  std::vector<double> times, peaks = {fma_peak(1e-3)};
  double since_peak = 0;
  for (auto _ : state) {
    const double begin = clock();
    check(gt_program_run(program));
    const double time = clock() - begin;
    state.SetIterationTime(time);
    times.push_back(time);
    since_peak += time;
    if (since_peak > 20e-3) {
      peaks.push_back(fma_peak(1e-3));
      since_peak = 0;
    }
  }
  gt_program_destroy(program);
  // The clock of a virtual machine jumps now and then: not the very best, but the upper quarter.
  const double best = quantile(times, 0.25), peak = quantile(peaks, 0.75);
  state.counters["GF/s"] = flops / best * 1e-9;
  state.counters["peak"] = peak * 1e-9;
  state.counters["share%"] = 100 * flops / best / (peak * threads);
}

enum Pass { FORWARD, DATA, WEIGHTS };
constexpr const char* kPasses[] = {"forward", "data", "weights"};

struct Layer {
  int64_t size, channels, filters, kernel, stride;
};

// Pairs of a result and an input pixel along one axis that a tap joins.
int64_t valid_taps(int64_t size, int64_t out, const Layer& l) {
  int64_t count = 0;
  for (int64_t i = 0; i < out; ++i) {
    for (int64_t r = 0; r < l.kernel; ++r) {
      const int64_t h = i * l.stride - l.kernel / 2 + r;
      count += h >= 0 && h < size;
    }
  }
  return count;
}

void conv(benchmark::State& state, Pass pass, int64_t batch, Layer l, int threads) {
  const Machine machine(threads);
  const auto stride = static_cast<int32_t>(l.stride), pad = static_cast<int32_t>(l.kernel / 2);
  const int64_t out = (l.size + 2 * pad - l.kernel) / l.stride + 1;
  const Array x(machine, {batch, l.size, l.size, l.channels}),
      y(machine, {batch, out, out, l.filters}),
      w(machine, {l.filters, l.kernel, l.kernel, l.channels});
  const auto taps = static_cast<double>(valid_taps(l.size, out, l));
  const double each = 2.0 * static_cast<double>(batch * l.filters * l.channels);
  const gt_stream s = machine.stream;
  measure(state, machine, threads, each * taps * taps, [&] {
    switch (pass) {
      case FORWARD:
        return gt_conv2d(s, y.tensor, nullptr, x.tensor, w.tensor, nullptr, nullptr, stride, stride,
                         pad, pad, pad, pad, 1, 1, 1, 0, 0);
      case DATA:
        return gt_conv2d_backward_data(s, x.tensor, nullptr, y.tensor, w.tensor, nullptr, nullptr,
                                       nullptr, nullptr, stride, stride, pad, pad, pad, pad, 1, 1,
                                       1, 0);
      default:
        return gt_conv2d_backward_weights(s, w.tensor, x.tensor, y.tensor, stride, stride, pad, pad,
                                          pad, pad, 1, 1, 1, 0);
    }
  });
  const auto nominal = static_cast<double>(out * out * l.kernel * l.kernel);
  state.counters["nominal%"] = state.counters["share%"] * nominal / (taps * taps);
}

// One picture through layers of one shape, each with weights of its own: together more than caches
// hold, as in the inference of a large network.
void cold(benchmark::State& state, Layer l, int threads) {
  const Machine machine(threads);
  const auto stride = static_cast<int32_t>(l.stride), pad = static_cast<int32_t>(l.kernel / 2);
  const int64_t out = (l.size + 2 * pad - l.kernel) / l.stride + 1;
  const Array x(machine, {1, l.size, l.size, l.channels}), y(machine, {1, out, out, l.filters});
  std::vector<std::unique_ptr<Array>> weights;
  for (int64_t bytes = 0; bytes < (100 << 20);) {
    bytes += l.filters * l.kernel * l.kernel * l.channels * 4;
    weights.push_back(std::make_unique<Array>(
        machine, std::vector<int64_t>{l.filters, l.kernel, l.kernel, l.channels}));
  }
  const auto taps = static_cast<double>(valid_taps(l.size, out, l));
  const double each = 2.0 * static_cast<double>(weights.size()) * l.filters * l.channels;
  measure(state, machine, threads, each * taps * taps, [&] {
    gt_status status = GT_OK;
    for (size_t i = 0; i < weights.size() && status == GT_OK; ++i) {
      check(gt_stream_hold(machine.stream, weights[i]->tensor));
      status = gt_conv2d(machine.stream, y.tensor, nullptr, x.tensor, weights[i]->tensor, nullptr,
                         nullptr, stride, stride, pad, pad, pad, pad, 1, 1, 1, 0, 0);
    }
    return status;
  });
}

struct Product {
  int64_t M, N, K;
  int32_t transpose_a, transpose_b;
};

void matmul(benchmark::State& state, Product p, int threads) {
  const Machine machine(threads);
  using Dims = std::vector<int64_t>;
  const Array y(machine, {p.M, p.N}), a(machine, p.transpose_a ? Dims{p.K, p.M} : Dims{p.M, p.K}),
      b(machine, p.transpose_b ? Dims{p.N, p.K} : Dims{p.K, p.N});
  measure(state, machine, threads, 2.0 * p.M * p.N * p.K, [&] {
    return gt_matmul(machine.stream, y.tensor, a.tensor, b.tensor, nullptr, p.transpose_a,
                     p.transpose_b, 0);
  });
}

std::string name_of(const std::string& pass, int64_t batch, Layer l) {
  return pass + "/" + std::to_string(batch) + "/" + std::to_string(l.size) + "x" +
         std::to_string(l.channels) + "->" + std::to_string(l.filters) + ",k" +
         std::to_string(l.kernel) + ",s" + std::to_string(l.stride);
}

void add_conv(int64_t batch, Layer l) {
  for (const int threads : {1, 2}) {
    for (const Pass pass : {FORWARD, DATA, WEIGHTS}) {
      const std::string name = name_of(kPasses[pass], batch, l) + "/" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& s) { conv(s, pass, batch, l, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

void add_product(Product p) {
  for (const int threads : {1, 2}) {
    const std::string name = "matmul/" + std::to_string(p.M) + "x" + std::to_string(p.N) + "x" +
                             std::to_string(p.K) + (p.transpose_a ? ",a^T" : "") +
                             (p.transpose_b ? ",b^T" : "") + "/" + std::to_string(threads);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { matmul(s, p, threads); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const int64_t batch : {128, 32}) {
    for (const Layer l : {Layer{32, 3, 16, 3, 1}, Layer{32, 16, 16, 3, 1}, Layer{32, 16, 32, 3, 2},
                          Layer{32, 16, 32, 1, 2}, Layer{16, 32, 32, 3, 1}, Layer{16, 32, 64, 3, 2},
                          Layer{16, 32, 64, 1, 2}, Layer{8, 64, 64, 3, 1}}) {
      add_conv(batch, l);
    }
  }
  for (const Layer l :
       {Layer{224, 3, 64, 7, 2},    Layer{56, 64, 64, 1, 1},     Layer{56, 64, 64, 3, 1},
        Layer{56, 64, 256, 1, 1},   Layer{56, 256, 64, 1, 1},    Layer{56, 256, 128, 1, 1},
        Layer{56, 128, 128, 3, 2},  Layer{56, 256, 512, 1, 2},   Layer{28, 128, 512, 1, 1},
        Layer{28, 512, 128, 1, 1},  Layer{28, 128, 128, 3, 1},   Layer{28, 512, 256, 1, 1},
        Layer{28, 256, 256, 3, 2},  Layer{28, 512, 1024, 1, 2},  Layer{14, 256, 1024, 1, 1},
        Layer{14, 1024, 256, 1, 1}, Layer{14, 256, 256, 3, 1},   Layer{14, 1024, 512, 1, 1},
        Layer{14, 512, 512, 3, 2},  Layer{14, 1024, 2048, 1, 2}, Layer{7, 512, 2048, 1, 1},
        Layer{7, 2048, 512, 1, 1},  Layer{7, 512, 512, 3, 1}}) {
    add_conv(16, l);
    if (l.size > 28) continue;
    for (const int threads : {1, 2}) {
      benchmark::RegisterBenchmark((name_of("cold", 1, l) + "/" + std::to_string(threads)).c_str(),
                                   [=](benchmark::State& s) { cold(s, l, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  for (const int64_t n : {64, 128, 256, 512, 1024}) add_product({n, n, n, 0, 0});
  for (const auto& [ta, tb] : {std::pair{1, 0}, {0, 1}, {1, 1}})
    add_product({1024, 1024, 1024, ta, tb});
  for (const int64_t batch : {32, 128}) {
    add_product({batch, 256, 784, 0, 1});  // 784-256-10: forward, then gradients
    add_product({batch, 10, 256, 0, 1});
    add_product({10, 256, batch, 1, 0});
    add_product({batch, 256, 10, 0, 0});
    add_product({256, 784, batch, 1, 0});
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
