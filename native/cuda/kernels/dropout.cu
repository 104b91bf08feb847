// Dropout by the masks of kernels/dropout.h, bit for bit: a thread draws the words of 8 elements.
#include "core/philox.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/packs.h"

namespace gatun::cuda {
namespace {

// The rule but for the step, which is read on the device.
struct Rule {
  uint64_t seed;
  int32_t layer;
  int32_t threshold;
  double scale;
};

// The elements that share a block of random words.
constexpr int kGroup = 8;

// N elements at a time, which divides kGroup.
template <typename T, int N>
__global__ void dropout_kernel(Global<T> y, Global<const T> x, Global<const int64_t> step,
                               int64_t count, Rule rule) {
  const int64_t now = step ? step[0] : 0;
  const uint64_t stream = static_cast<uint64_t>(now) << 32 | static_cast<uint32_t>(rule.layer);
  const auto scale = static_cast<WideOf<T>>(rule.scale);
  for (int64_t group = grid_thread(); group * kGroup < count; group += grid_threads()) {
    const PhiloxBlock block = philox_block(rule.seed, stream, static_cast<uint64_t>(group));
    const auto drop = [&](int place, T value) {
      const auto bits = static_cast<int32_t>(block[place / 2] >> (16 * (place % 2)) & 0xffff);
      const WideOf<T> kept = widen(value) * scale;
      return narrow<T>(bits >= rule.threshold ? kept : 0);
    };
    const int64_t begin = group * kGroup;
    if (begin + kGroup <= count) {
      GATUN_UNROLL
      for (int at = 0; at < kGroup; at += N) {
        Pack<T, N> pack = x.template load<N>(begin + at);
        for (int k = 0; k < N; ++k) pack.values[k] = drop(at + k, pack.values[k]);
        y.template store<N>(begin + at, pack);
      }
    } else {
      for (int64_t i = begin; i < count; ++i) y[i] = drop(static_cast<int>(i - begin), x[i]);
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
    with_packs<T>(are_aligned({&y, &x}), [&](auto width) {
      queue.launch(dropout_kernel<T, decltype(width)::value>, elements_grid(y.count, kGroup),
                   elements<T>(y), elements<const T>(x), elements<const int64_t>(step), y.count,
                   Rule{rule.seed, layer, rule.threshold, rule.scale});
    });
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
