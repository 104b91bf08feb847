// Dropout as a plain loop: the f64 path, and the oracle of the fast one.
#pragma once

#include "core/philox.h"
#include "kernels/dropout.h"

namespace gatun::kernels::naive {

// Elements begin .. end of the whole tensors y and x.
template <typename T>
void dropout(T* y, const T* x, int64_t begin, int64_t end, const DropoutRule& rule) {
  const auto scale = static_cast<T>(rule.scale);
  PhiloxBlock block{};
  for (int64_t i = begin; i < end; ++i) {
    const int64_t lane = i % 8;
    if (lane == 0 || i == begin) {
      block = philox_block(rule.seed, rule.stream, static_cast<uint64_t>(i / 8));
    }
    const auto bits = static_cast<int32_t>(block[lane / 2] >> (16 * (lane % 2)) & 0xffff);
    y[i] = bits >= rule.threshold ? x[i] * scale : T{0};
  }
}

}  // namespace gatun::kernels::naive
