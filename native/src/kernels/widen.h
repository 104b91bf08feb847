// bf16 by way of f32: memory-bound kernels copy a piece into f32 memory in the first or second
// cache level, run the f32 loop on it, and copy the result back. Both copies run at the best SIMD
// level.
#pragma once

#include <cstdint>

#include "core/bf16.h"

namespace gatun::kernels {

// Elements of a piece whose few f32 copies stay in the first-level cache.
constexpr int64_t kWidenBlock = 1024;

void widen(float* to, const Bf16* from, int64_t count);
void narrow(Bf16* to, const float* from, int64_t count);
// What narrow and widen one after the other would give.
void round_to_bf16(float* x, int64_t count);

}  // namespace gatun::kernels
