// 3x3 convolutions at stride 1, direct and by Winograd's algorithm, one thread. Prints effective
// GF/s: nominal flops, taps in the padding included, by CPU time, the best of many runs.
// Arguments: parts of names to measure; all without.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <vector>

#include "gatun.h"

namespace {

void check(gt_status status) {
  if (status == GT_OK) return;
  std::fprintf(stderr, "%s\n", gt_last_error_message());
  std::exit(1);
}

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Array {
  gt_buffer buffer = nullptr;
  gt_tensor tensor = nullptr;

  Array(gt_device device, std::vector<int64_t> dims) {
    int64_t count = 1;
    for (const int64_t d : dims) count *= d;
    check(gt_buffer_create(&buffer, device, count * 4, GT_MEMORY_DEVICE));
    check(gt_tensor_create(&tensor, buffer, 0, GT_F32, static_cast<int32_t>(dims.size()),
                           dims.data()));
    std::mt19937 random(1);
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(random()) * 1e-10f;
    check(gt_buffer_write(buffer, 0, values.data(), count * 4));
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    gt_tensor_destroy(tensor);
    gt_buffer_destroy(buffer);
  }
};

template <typename Instruction>
double best_time(gt_stream stream, Instruction&& instruction) {
  gt_program program = nullptr;
  check(gt_stream_begin_recording(stream));
  check(instruction());
  check(gt_stream_end_recording(&program, stream));
  check(gt_program_run(program));
  double best = 1e9;
  const double begin = cpu_seconds();
  for (int i = 0; i < 5 || (i < 200 && cpu_seconds() - begin < 0.4); ++i) {
    const double start = cpu_seconds();
    check(gt_program_run(program));
    best = std::min(best, cpu_seconds() - start);
  }
  gt_program_destroy(program);
  return best;
}

struct Layer {
  int64_t batch, size, channels, filters;
};

constexpr Layer kLayers[] = {
    {128, 32, 16, 16},  {128, 16, 32, 32}, {128, 8, 64, 64}, {16, 56, 64, 64}, {16, 28, 128, 128},
    {16, 14, 256, 256}, {16, 7, 512, 512}, {1, 32, 16, 16},  {1, 8, 64, 64},   {1, 56, 64, 64},
    {1, 14, 256, 256},  {1, 7, 512, 512},  {128, 32, 8, 8},  {128, 32, 3, 16}, {128, 32, 24, 24},
    {128, 7, 32, 32},   {128, 6, 32, 32},  {128, 5, 32, 32}, {128, 4, 32, 32}, {128, 9, 32, 32}};

}  // namespace

int main(int argc, char** argv) {
  gt_device device = nullptr;
  gt_stream stream = nullptr;
  check(gt_device_create(&device, GT_DEVICE_CPU, 0, 1));
  check(gt_stream_create(&stream, device));
  constexpr const char* kPasses[] = {"forward", "data", "weights"};
  for (const Layer& l : kLayers) {
    const Array x(device, {l.batch, l.size, l.size, l.channels});
    const Array y(device, {l.batch, l.size, l.size, l.filters});
    const Array w(device, {l.filters, 3, 3, l.channels});
    const double flops =
        18.0 * static_cast<double>(l.batch * l.size * l.size * l.channels * l.filters);
    for (int pass = 0; pass < 3; ++pass) {
      char name[80];
      std::snprintf(name, sizeof(name), "%s/%d/%dx%d->%d", kPasses[pass], static_cast<int>(l.batch),
                    static_cast<int>(l.size), static_cast<int>(l.channels),
                    static_cast<int>(l.filters));
      bool wanted = argc == 1;
      for (int i = 1; i < argc; ++i) wanted |= std::strstr(name, argv[i]) != nullptr;
      if (!wanted) continue;
      double times[2];
      for (const int algorithm : {GT_CONV_DIRECT, GT_CONV_WINOGRAD}) {
        times[algorithm - 1] = best_time(stream, [&] {
          switch (pass) {
            case 0:
              return gt_conv2d(stream, y.tensor, nullptr, x.tensor, w.tensor, nullptr, nullptr, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 0, algorithm);
            case 1:
              return gt_conv2d_backward_data(stream, x.tensor, nullptr, y.tensor, w.tensor, nullptr,
                                             nullptr, nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                             algorithm);
            default:
              return gt_conv2d_backward_weights(stream, w.tensor, x.tensor, y.tensor, 1, 1, 1, 1, 1,
                                                1, 1, 1, 1, algorithm);
          }
        });
      }
      std::printf("%-28s direct %8.3f ms %6.1f GF/s   Winograd %8.3f ms %6.1f GF/s   x%.2f\n", name,
                  times[0] * 1e3, flops / times[0] * 1e-9, times[1] * 1e3, flops / times[1] * 1e-9,
                  times[0] / times[1]);
      std::fflush(stdout);
    }
  }
  gt_stream_destroy(stream);
  gt_device_destroy(device);
  return 0;
}
