// What the rates of a CUDA device are measured with: tensors on it, programs in time, rows of JSON.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gatun.h"

namespace gatun::bench {

inline void check(gt_status status) {
  if (status == GT_OK) return;
  std::fprintf(stderr, "%s\n", gt_last_error_message());
  std::exit(1);
}

using Dims = std::vector<int64_t>;

inline gt_device device = nullptr;
inline gt_stream stream = nullptr;
inline std::vector<gt_buffer> buffers;
inline std::vector<gt_tensor> tensors;
inline int64_t tensor_bytes = 0;  // of the tensors made since the last release

inline int64_t size_of(int32_t dtype) {
  return dtype == GT_F64 || dtype == GT_I64 ? 8 : dtype == GT_BF16 ? 2 : dtype == GT_U8 ? 1 : 4;
}

inline gt_tensor tensor(int32_t dtype, const Dims& dims, double value = 0.01) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  const int64_t bytes = count * size_of(dtype);
  tensor_bytes += bytes;
  check(gt_buffer_create(&buffers.emplace_back(), device, bytes, GT_MEMORY_DEVICE));
  check(gt_tensor_create(&tensors.emplace_back(), buffers.back(), 0, dtype,
                         static_cast<int32_t>(dims.size()), dims.data()));
  if (value != 0) check(gt_fill(stream, tensors.back(), value));
  return tensors.back();
}

inline void release() {
  for (gt_tensor t : tensors) gt_tensor_destroy(t);
  for (gt_buffer b : buffers) gt_buffer_destroy(b);
  tensors.clear();
  buffers.clear();
  tensor_bytes = 0;
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of the work in a program of `repeats` times it, unless the device does not have it.
struct Timing {
  double seconds = 0;
  bool supported = true;
};

inline Timing time_program(const std::function<gt_status()>& work, int repeats) {
  check(gt_stream_begin_recording(stream));
  gt_status status = GT_OK;
  for (int i = 0; i < repeats && status == GT_OK; ++i) status = work();
  gt_program program = nullptr;
  check(gt_stream_end_recording(&program, stream));
  if (status != GT_OK) {
    gt_program_destroy(program);
    if (status == GT_UNSUPPORTED) return {.supported = false};
    check(status);
  }
  check(gt_program_run(program));
  std::vector<double> times;
  for (int run = 0; run < 7; ++run) {
    const double start = now();
    check(gt_program_run(program));
    times.push_back(now() - start);
  }
  gt_program_destroy(program);
  std::nth_element(times.begin(), times.begin() + 3, times.end());
  return {.seconds = times[3] / repeats};
}

inline const char* filter = "";
inline bool first_row = true;

// `flops` of the work, 0 for work that memory bounds; `bytes` 0: those of all its tensors.
inline void row(const std::string& name, const std::string& precision, double flops, int64_t bytes,
         const std::function<std::function<gt_status()>()>& prepare) {
  if (std::strstr((name + " " + precision).c_str(), filter) == nullptr) return;
  const std::function<gt_status()> work = prepare();
  if (bytes == 0) bytes = tensor_bytes;
  Timing timing = time_program(work, 1);
  if (timing.supported) {
    // About 10 ms together, which hides that a run is waited for.
    const double repeats = std::clamp(0.01 / std::max(timing.seconds, 1e-6), 1.0, 200.0);
    timing = time_program(work, static_cast<int>(repeats));
    std::printf(
        "%s\n  {\"work\": \"%s\", \"precision\": \"%s\", \"millis\": %.6g, \"flops\": %.6g, "
        "\"bytes\": %lld}",
        first_row ? "" : ",", name.c_str(), precision.c_str(), timing.seconds * 1e3, flops,
        static_cast<long long>(bytes));
    std::fflush(stdout);
    first_row = false;
  } else {
    std::fprintf(stderr, "left out, as the device does not have it: %s\n", name.c_str());
  }
  release();
}


// Whole training steps, in cuda_steps.cc.
void step_rows();

}  // namespace gatun::bench
