// The vector loop of the adaptive steps, f32, at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/adaptive.h"

namespace gatun::kernels {

void adaptive_range(const AdaptiveState<float>& state, int64_t begin, int64_t end,
                    AdaptiveKind kind, const AdaptiveFactors& factors);

}  // namespace gatun::kernels
