// Dropout by the masks of kernels/dropout.h, bit for bit: a thread draws the words of 8 elements.
#include "core/philox.h"
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

// The rule but for the step, which is read on the device.
struct Rule {
  uint64_t seed;
  int32_t layer;
  int32_t threshold;
  double scale;
};

template <typename T>
__global__ void dropout_kernel(Global<T> y, Global<const T> x, Global<const int64_t> step,
                               int64_t count, Rule rule) {
  const int64_t now = step ? step[0] : 0;
  const uint64_t stream = static_cast<uint64_t>(now) << 32 | static_cast<uint32_t>(rule.layer);
  const auto scale = static_cast<WideOf<T>>(rule.scale);
  for (int64_t group = grid_thread(); group * 8 < count; group += grid_threads()) {
    const PhiloxBlock block = philox_block(rule.seed, stream, static_cast<uint64_t>(group));
    for (int lane = 0; lane < 8; ++lane) {
      const int64_t i = group * 8 + lane;
      if (i >= count) break;
      const auto bits = static_cast<int32_t>(block[lane / 2] >> (16 * (lane % 2)) & 0xffff);
      const WideOf<T> kept = widen(x[i]) * scale;
      y[i] = narrow<T>(bits >= rule.threshold ? kept : 0);
    }
  }
}

}  // namespace

namespace kernels {

void dropout(Queue& queue, const Tensor& y, const Tensor& x, const Tensor* step,
             double drop_probability, int64_t seed, int32_t layer) {
  const gatun::kernels::DropoutRule rule(drop_probability, seed, 0, layer);
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(dropout_kernel<T>, elements_grid(y.count, 8), elements<T>(y), elements<const T>(x),
                 elements<const int64_t>(step), y.count,
                 Rule{rule.seed, layer, rule.threshold, rule.scale});
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
