#include "kernels/dropout.h"

#include "kernels/dropout_naive.h"
#include "kernels/dropout_simd.h"
#include "kernels/ranges.h"
#include "kernels/streaming.h"
#include "kernels/widen.h"

namespace gatun::kernels {

static_assert(ELEMENTS_PER_TASK % kDropoutGroup == 0 && kWidenBlock == kDropoutGroup);

void dropout(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor* step,
             double drop_probability, int64_t seed, int32_t layer) {
  const int64_t* steps = step == nullptr ? nullptr : step->as<int64_t>();
  const bool stream = pays_to_stream(y, {&x});
  parallel_ranges(launcher, x.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    const DropoutRule rule(drop_probability, seed, steps == nullptr ? 0 : *steps, layer);
    if (x.dtype == DType::F64) {
      naive::dropout(y.as<double>(), x.as<double>(), begin, end, rule);
    } else if (x.dtype == DType::BF16) {
      float values[kWidenBlock];
      for (int64_t i = begin; i < end; i += kWidenBlock) {
        const int64_t n = std::min(kWidenBlock, end - i);
        widen(values, x.as<Bf16>() + i, n);
        dropout_range(values - i, values - i, i, i + n, false, rule);
        narrow(y.as<Bf16>() + i, values, n);
      }
    } else {
      dropout_range(y.as<float>(), x.as<float>(), begin, end, stream, rule);
    }
  });
}

}  // namespace gatun::kernels
