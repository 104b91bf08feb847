// How fast a CUDA device is at the work of networks, as JSON: milliseconds of each instruction,
// with the bytes it must move and the operations it must do. It stands alone: tests/gpu/run builds
// it against libgatun on a machine with a GPU. An instruction is measured as a program of many of
// it, so launches are those of a graph. Names are those of tests/gpu/peers.py.
#include "cuda_rates.h"

#include <cstdio>
#include <string>

namespace gatun::bench {
namespace {

struct Precision {
  const char* name;
  int32_t dtype, products;
};
constexpr Precision kPrecisions[] = {{"f32", GT_F32, GT_PRODUCTS_F32},
                                     {"tf32", GT_F32, GT_PRODUCTS_TF32},
                                     {"bf16", GT_BF16, GT_PRODUCTS_F32}};

void memory_rows() {
  constexpr int64_t kCount = int64_t{64} << 20;
  row("copy 64M", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {kCount}), x = tensor(GT_F32, {kCount});
    return [=] { return gt_copy(stream, y, x); };
  });
  row("add 64M", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {kCount}), a = tensor(GT_F32, {kCount}),
              b = tensor(GT_F32, {kCount});
    return [=] { return gt_binary(stream, y, a, b, GT_BINARY_ADD); };
  });
  row("gelu 64M", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {kCount}), x = tensor(GT_F32, {kCount});
    return [=] { return gt_activate(stream, y, x, GT_ACTIVATE_GELU, 0); };
  });
  row("dropout 64M", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {kCount}), x = tensor(GT_F32, {kCount});
    return [=] { return gt_dropout(stream, y, x, nullptr, 0.5, 1, 2); };
  });
  row("softmax 16384x4096", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {16384, 4096}), x = tensor(GT_F32, {16384, 4096});
    return [=] { return gt_softmax(stream, y, x); };
  });
  row("layer norm 65536x1024", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {65536, 1024}), x = tensor(GT_F32, {65536, 1024}),
              mean = tensor(GT_F32, {65536, 1}), inv_std = tensor(GT_F32, {65536, 1}),
              gamma = tensor(GT_F32, {1024}), beta = tensor(GT_F32, {1024});
    return [=] { return gt_layer_norm(stream, y, mean, inv_std, x, gamma, beta, 1e-5); };
  });
  row("adam 64M", "f32", 0, 7 * 4 * kCount, [] {
    gt_tensor parameter = tensor(GT_F32, {kCount}), m = tensor(GT_F32, {kCount}),
              v = tensor(GT_F32, {kCount}), gradient = tensor(GT_F32, {kCount}),
              rate = tensor(GT_F32, {}), step = tensor(GT_I64, {}, 1);
    return [=] {
      return gt_adam_step(stream, parameter, m, v, parameter, m, v, gradient, rate, step, 0.9,
                          0.999, 1e-8, 0.01, 1);
    };
  });
  row("sum 256M by rows", "f32", 0, 0, [] {
    gt_tensor y = tensor(GT_F32, {65536, 1}), x = tensor(GT_F32, {65536, 1024});
    return [=] { return gt_reduce(stream, y, x, GT_REDUCE_SUM, 2); };
  });
}

void matmul_rows() {
  for (const Precision& p : kPrecisions) {
    check(gt_stream_set_products(stream, p.products));
    for (const int64_t n : {1024, 2048, 4096, 8192}) {
      if (p.dtype == GT_F32 && n > 4096) continue;
      for (int turned = 0; turned < 3; ++turned) {
        const char* const forms[] = {"", " a turned", " b turned"};
        const auto size = static_cast<double>(n);
        row("matmul " + std::to_string(n) + forms[turned], p.name, 2 * size * size * size, 0,
            [=, &p] {
              gt_tensor y = tensor(p.dtype, {n, n}), a = tensor(p.dtype, {n, n}),
                        b = tensor(p.dtype, {n, n});
              return [=] {
                return gt_matmul(stream, y, a, b, nullptr, turned == 1, turned == 2,
                                 GT_ACTIVATION_NONE);
              };
            });
      }
    }
  }
}

// Square pictures and filters, channels-last.
struct Conv {
  const char* name;
  int64_t n, size, c, k;
  int32_t kernel, stride, groups;
};

void conv_rows() {
  constexpr Conv kConvs[] = {
      {"conv 128x32x32x16-16 3x3", 128, 32, 16, 16, 3, 1, 1},
      {"conv 128x16x16x32-32 3x3", 128, 16, 32, 32, 3, 1, 1},
      {"conv 128x8x8x64-64 3x3", 128, 8, 64, 64, 3, 1, 1},
      {"conv 256x56x56x64-64 3x3", 256, 56, 64, 64, 3, 1, 1},
      {"conv 256x28x28x128-128 3x3", 256, 28, 128, 128, 3, 1, 1},
      {"conv 256x14x14x256-256 3x3", 256, 14, 256, 256, 3, 1, 1},
      {"conv 256x7x7x512-512 3x3", 256, 7, 512, 512, 3, 1, 1},
      {"conv 256x56x56x64-256 1x1", 256, 56, 64, 256, 1, 1, 1},
      {"conv 256x56x56x128-128 3x3 stride 2", 256, 56, 128, 128, 3, 2, 1},
      {"conv 256x224x224x3-64 7x7 stride 2", 256, 224, 3, 64, 7, 2, 1},
      {"conv 64x56x56x128-128 3x3 depthwise", 64, 56, 128, 128, 3, 1, 128},
  };
  for (const Precision& p : kPrecisions) {
    check(gt_stream_set_products(stream, p.products));
    for (const Conv& v : kConvs) {
      const int32_t pad = v.kernel / 2;
      const int64_t out = (v.size + 2 * pad - v.kernel) / v.stride + 1;
      const double flops = 2.0 * static_cast<double>(v.n * out * out * v.k) *
                           static_cast<double>(v.kernel * v.kernel * v.c / v.groups);
      const Dims x = {v.n, v.size, v.size, v.c}, y = {v.n, out, out, v.k};
      const Dims w = {v.k, v.kernel, v.kernel, v.c / v.groups};
      const std::string name = v.name;
      row(name + " forward", p.name, flops, 0, [=, &p, &v] {
        gt_tensor ty = tensor(p.dtype, y), tx = tensor(p.dtype, x), tw = tensor(p.dtype, w);
        return [=, &v] {
          return gt_conv2d(stream, ty, nullptr, tx, tw, nullptr, nullptr, v.stride, v.stride, pad,
                           pad, pad, pad, 1, 1, v.groups, GT_ACTIVATION_NONE, GT_CONV_AUTO);
        };
      });
      row(name + " data", p.name, flops, 0, [=, &p, &v] {
        gt_tensor ty = tensor(p.dtype, y), tx = tensor(p.dtype, x), tw = tensor(p.dtype, w);
        return [=, &v] {
          return gt_conv2d_backward_data(stream, tx, nullptr, ty, tw, nullptr, nullptr, nullptr,
                                         nullptr, v.stride, v.stride, pad, pad, pad, pad, 1, 1,
                                         v.groups, GT_CONV_AUTO);
        };
      });
      row(name + " weights", p.name, flops, 0, [=, &p, &v] {
        gt_tensor ty = tensor(p.dtype, y), tx = tensor(p.dtype, x), tw = tensor(GT_F32, w);
        return [=, &v] {
          return gt_conv2d_backward_weights(stream, tw, tx, ty, v.stride, v.stride, pad, pad, pad,
                                            pad, 1, 1, v.groups, GT_CONV_AUTO);
        };
      });
    }
  }
}

void recurrent_rows() {
  struct Cell {
    const char* name;
    int32_t cell;
    int64_t gates, saved;
  };
  constexpr Cell kCells[] = {{"gru", GT_CELL_GRU, 3, 4}, {"lstm", GT_CELL_LSTM, 4, 5}};
  constexpr int64_t T = 64, B = 64, H = 256;
  for (const Cell& v : kCells) {
    const std::string name = std::string(v.name) + " 64 steps of 64 sequences, 256 units";
    const double flops = 2.0 * T * B * H * H * static_cast<double>(v.gates);
    const bool has_cell = v.cell == GT_CELL_LSTM;
    const auto prepare = [=, &v](bool back) -> std::function<gt_status()> {
      gt_tensor x = tensor(GT_F32, {T, B, v.gates * H}), u = tensor(GT_F32, {v.gates * H, H}),
                y = tensor(GT_F32, {T, B, H}), saved = tensor(GT_F32, {T, B, v.saved * H}),
                last = tensor(GT_F32, {1, B, H}),
                last_cell = has_cell ? tensor(GT_F32, {1, B, H}) : nullptr;
      if (!back) {
        return [=, &v] {
          return gt_recurrent(stream, y, last, last_cell, saved, x, nullptr, u, nullptr, nullptr,
                              nullptr, nullptr, nullptr, nullptr, v.cell, GT_DIRECTION_FORWARD, 0);
        };
      }
      gt_tensor dy = tensor(GT_F32, {T, B, H}), du = tensor(GT_F32, {v.gates * H, H});
      return [=, &v] {
        return gt_recurrent_backward(stream, x, nullptr, du, nullptr, nullptr, nullptr, nullptr, dy,
                                     nullptr, nullptr, y, saved, nullptr, u, nullptr, nullptr,
                                     nullptr, nullptr, nullptr, v.cell, GT_DIRECTION_FORWARD, 0);
      };
    };
    row(name + " forward", "f32", flops, 0, [=] { return prepare(false); });
    row(name + " backward", "f32", 2 * flops, 0, [=] { return prepare(true); });
  }
}

}  // namespace
}  // namespace gatun::bench

// cuda_rates [FILTER [cpu]]: rows whose "name precision" contains it; of the CPU, to try the
// program where there is no GPU.
int main(int count, char** arguments) {
  using namespace gatun::bench;
  if (count > 1) filter = arguments[1];
  const bool on_cpu = count > 2 && std::string(arguments[2]) == "cpu";
  check(gt_device_create(&device, on_cpu ? GT_DEVICE_CPU : GT_DEVICE_CUDA, 0, 0));
  check(gt_stream_create(&stream, device));
  char description[256];
  check(gt_device_describe(device, description, sizeof(description)));
  std::printf("{\"device\": \"%s\", \"rows\": [", description);
  memory_rows();
  matmul_rows();
  conv_rows();
  recurrent_rows();
  step_rows();
  std::printf("\n]}\n");
  gt_stream_destroy(stream);
  gt_device_destroy(device);
  return 0;
}
