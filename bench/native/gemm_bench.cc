// Matrix products, in GF/s and as a share of the multiply-add peak of one core (times threads),
// measured beside each row: square ones, deep ones, dense layers of all batches. Figures are of the
// fastest fifth of the runs, in CPU time of the calling thread for 1 thread and in wall time for
// more, so that they hold on a machine that does other work. Names: kind/M x N x K,
// transposes/threads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The n-th part from below. Not the least: the clock of CPU time jumps when a virtual machine
// stands still.
double quantile(std::vector<double>& values, size_t n) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() / n);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// In GF/s, of one core.
double peak() {
  std::vector<double> peaks;
  for (int burst = 0; burst < 9; ++burst) peaks.push_back(gatun::bench::fma_peak(3e-4) * 1e-9);
  return quantile(peaks, 2);
}

struct Array {
  gt_buffer buffer = nullptr;
  gt_tensor tensor = nullptr;

  Array(gt_device device, int64_t rows, int64_t columns) {
    const int64_t dims[] = {rows, columns}, bytes = rows * columns * 4;
    check(gt_buffer_create(&buffer, device, bytes, GT_MEMORY_DEVICE));
    check(gt_tensor_create(&tensor, buffer, 0, GT_F32, 2, dims));
    const std::vector<float> values(rows * columns, 0.01f);
    check(gt_buffer_write(buffer, 0, values.data(), bytes));
  }
  ~Array() {
    gt_tensor_destroy(tensor);
    gt_buffer_destroy(buffer);
  }
};

struct Product {
  const char* kind;
  int64_t M, N, K;
  int32_t transpose_a, transpose_b;
};

void product(benchmark::State& state, Product p, int threads) {
  gt_device device = nullptr;
  gt_stream stream = nullptr;
  check(gt_device_create(&device, GT_DEVICE_CPU, 0, threads));
  check(gt_stream_create(&stream, device));
  {
    const Array y(device, p.M, p.N),
        a(device, p.transpose_a ? p.K : p.M, p.transpose_a ? p.M : p.K),
        b(device, p.transpose_b ? p.N : p.K, p.transpose_b ? p.K : p.N);
    gt_program program = nullptr;
    check(gt_stream_begin_recording(stream));
    check(
        gt_matmul(stream, y.tensor, a.tensor, b.tensor, nullptr, p.transpose_a, p.transpose_b, 0));
    check(gt_stream_end_recording(&program, stream));
    check(gt_program_run(program));
    const auto now = threads == 1 ? gatun::bench::thread_seconds : wall_seconds;
    const double top = peak();
    std::vector<double> seconds;
    for (auto _ : state) {
      const double begin = now();
      check(gt_program_run(program));
      seconds.push_back(now() - begin);
    }
    gt_program_destroy(program);
    const double best = quantile(seconds, 5);
    const double rate = 2.0 * static_cast<double>(p.M * p.N * p.K) / best * 1e-9;
    state.counters["GF/s"] = rate;
    state.counters["peak"] = top;
    state.counters["share"] = rate / (top * threads);
    state.counters["fast_us"] = best * 1e6;
  }
  gt_stream_destroy(stream);
  gt_device_destroy(device);
}

void add(Product p) {
  for (const int threads : {1, 2}) {
    const std::string name = std::string(p.kind) + "/" + std::to_string(p.M) + "x" +
                             std::to_string(p.N) + "x" + std::to_string(p.K) +
                             (p.transpose_a ? ",a^T" : "") + (p.transpose_b ? ",b^T" : "") + "/" +
                             std::to_string(threads);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { product(s, p, threads); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const int64_t n : {64, 128, 256, 512, 1024, 2048, 4096}) {
    for (const auto& [ta, tb] : {std::pair{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
      add({"square", n, n, n, ta, tb});
    }
  }
  for (const auto& [m, n, k] :
       {std::tuple{64, 64, 65536}, {16, 144, 32768}, {10, 256, 4096}, {128, 128, 16384}}) {
    add({"deep", m, n, k, 1, 0});
  }
  // A dense layer: forward, gradient of the input, gradient of the weights.
  for (const auto& [in, out] : {std::pair{784, 256}, {256, 10}, {1024, 1024}, {4096, 1000}}) {
    for (const int64_t batch : {1, 4, 16, 32, 64, 128, 256}) {
      add({"forward", batch, out, in, 0, 1});
      add({"data", batch, in, out, 0, 0});
      add({"weights", out, in, batch, 1, 0});
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
