// What an instruction costs beside its arithmetic: instructions on a few elements, each a call of
// its own, and inside a program. CPU time of the calling thread.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "gatun.h"

namespace {

void check(gt_status status) {
  if (status == GT_OK) return;
  std::fprintf(stderr, "%s\n", gt_last_error_message());
  std::exit(1);
}

class Machine {
 public:
  explicit Machine(int threads) {
    check(gt_device_create(&device_, GT_DEVICE_CPU, 0, threads));
    check(gt_stream_create(&stream_, device_));
    check(gt_buffer_create(&buffer_, device_, 4096, GT_MEMORY_DEVICE));
    for (int i = 0; i < 3; ++i) {
      const int64_t dims[] = {4, 4};
      check(gt_tensor_create(&tensors_[i], buffer_, 256 * i, GT_F32, 2, dims));
    }
  }
  ~Machine() {
    for (gt_tensor t : tensors_) gt_tensor_destroy(t);
    gt_buffer_destroy(buffer_);
    gt_stream_destroy(stream_);
    gt_device_destroy(device_);
  }

  gt_stream stream() const { return stream_; }
  void fill() const { check(gt_fill(stream_, tensors_[0], 1)); }
  void add() const {
    check(gt_binary(stream_, tensors_[0], tensors_[1], tensors_[2], GT_BINARY_ADD));
  }
  void matmul() const {
    check(gt_matmul(stream_, tensors_[0], tensors_[1], tensors_[2], nullptr, 0, 1, 0));
  }

 private:
  gt_device device_ = nullptr;
  gt_stream stream_ = nullptr;
  gt_buffer buffer_ = nullptr;
  gt_tensor tensors_[3] = {};
};

template <typename Instruction>
void eager(benchmark::State& state, Instruction&& instruction) {
  const Machine machine(2);
  for (auto _ : state) (machine.*instruction)();
}

// The time of one instruction of a program of 100.
template <typename Instruction>
void recorded(benchmark::State& state, Instruction&& instruction) {
  const Machine machine(2);
  gt_program program = nullptr;
  check(gt_stream_begin_recording(machine.stream()));
  for (int i = 0; i < 100; ++i) (machine.*instruction)();
  check(gt_stream_end_recording(&program, machine.stream()));
  while (state.KeepRunningBatch(100)) check(gt_program_run(program));
  gt_program_destroy(program);
}

BENCHMARK_CAPTURE(eager, fill, &Machine::fill);
BENCHMARK_CAPTURE(eager, add, &Machine::add);
BENCHMARK_CAPTURE(eager, matmul, &Machine::matmul);
BENCHMARK_CAPTURE(recorded, fill, &Machine::fill);
BENCHMARK_CAPTURE(recorded, add, &Machine::add);
BENCHMARK_CAPTURE(recorded, matmul, &Machine::matmul);

}  // namespace

BENCHMARK_MAIN();
