// The vector loops of pooling, on one row of one picture. f32. Each runs at the best SIMD level.
// A row is [width, channels], a picture [height, width, channels].
#pragma once

#include "kernels/pool.h"

namespace gatun::kernels {

// Row p of y and taps from the picture x.
void max_pool_row(float* y, uint8_t* taps, const float* x, const PoolGeometry& g, int64_t p);
// Row h of dx from the pictures dy and taps.
void max_pool_backward_row(float* dx, const float* dy, const uint8_t* taps, const PoolGeometry& g,
                           int64_t h);
void average_pool_row(float* y, const float* x, const PoolGeometry& g, int64_t p);
void average_pool_backward_row(float* dx, const float* dy, const PoolGeometry& g, int64_t h);

}  // namespace gatun::kernels
