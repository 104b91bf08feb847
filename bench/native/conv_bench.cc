// Convolutions of ResNet-20 and ResNet-50 and products of dense layers, in GF/s of multiply-adds,
// taps in the padding included. Names: pass/batch/height x channels -> channels, kernel,
// stride/threads.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

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

template <typename Instruction>
void measure(benchmark::State& state, const Machine& machine, double flops,
             Instruction&& instruction) {
  gt_program program = nullptr;
  check(gt_stream_begin_recording(machine.stream));
  check(instruction());
  check(gt_stream_end_recording(&program, machine.stream));
  check(gt_program_run(program));
  for (auto _ : state) check(gt_program_run(program));
  gt_program_destroy(program);
  state.counters["GF/s"] =
      benchmark::Counter(flops * state.iterations() * 1e-9, benchmark::Counter::kIsRate);
}

enum Pass { FORWARD, DATA, WEIGHTS };
constexpr const char* kPasses[] = {"forward", "data", "weights"};

struct Layer {
  int64_t size, channels, filters, kernel, stride;
};

void conv(benchmark::State& state, Pass pass, int64_t batch, Layer l, int threads) {
  const Machine machine(threads);
  const auto stride = static_cast<int32_t>(l.stride), pad = static_cast<int32_t>(l.kernel / 2);
  const int64_t out = (l.size + 2 * pad - l.kernel) / l.stride + 1;
  const Array x(machine, {batch, l.size, l.size, l.channels}),
      y(machine, {batch, out, out, l.filters}),
      w(machine, {l.filters, l.kernel, l.kernel, l.channels});
  const double flops = 2.0 * batch * out * out * l.filters * l.kernel * l.kernel * l.channels;
  const gt_stream s = machine.stream;
  measure(state, machine, flops, [&] {
    switch (pass) {
      case FORWARD:
        return gt_conv2d(s, y.tensor, x.tensor, w.tensor, nullptr, stride, stride, pad, pad, 0, 0);
      case DATA:
        return gt_conv2d_backward_data(s, x.tensor, y.tensor, w.tensor, stride, stride, pad, pad,
                                       0);
      default:
        return gt_conv2d_backward_weights(s, w.tensor, x.tensor, y.tensor, stride, stride, pad, pad,
                                          0);
    }
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
  measure(state, machine, 2.0 * p.M * p.N * p.K, [&] {
    return gt_matmul(machine.stream, y.tensor, a.tensor, b.tensor, nullptr, p.transpose_a,
                     p.transpose_b, 0);
  });
}

void add_conv(int64_t batch, Layer l) {
  for (const int threads : {1, 2}) {
    for (const Pass pass : {FORWARD, DATA, WEIGHTS}) {
      const std::string name = std::string(kPasses[pass]) + "/" + std::to_string(batch) + "/" +
                               std::to_string(l.size) + "x" + std::to_string(l.channels) + "->" +
                               std::to_string(l.filters) + ",k" + std::to_string(l.kernel) + ",s" +
                               std::to_string(l.stride) + "/" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& s) { conv(s, pass, batch, l, threads); })
          ->UseRealTime()
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
        ->UseRealTime()
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
       {Layer{224, 3, 64, 7, 2}, Layer{56, 64, 64, 1, 1}, Layer{56, 64, 256, 1, 1},
        Layer{56, 256, 64, 1, 1}, Layer{56, 64, 64, 3, 1}, Layer{28, 128, 128, 3, 1},
        Layer{14, 256, 256, 3, 1}, Layer{14, 1024, 256, 1, 1}, Layer{7, 512, 512, 3, 1}}) {
    add_conv(16, l);
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
