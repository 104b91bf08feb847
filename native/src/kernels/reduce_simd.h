// Parts of a reduction of f32, at the best SIMD level. Short runs are summed in f32, and the sums
// of the runs in f64.
#pragma once

#include <cstdint>

#include "kernels/reduce.h"

namespace gatun::kernels {

// At most this many columns in a call.
constexpr int64_t kReduceColumns = 2048;

// Combines x[i * row_stride + c] over `rows` rows into results[c]. A single column has
// row_stride 1.
void reduce_block_f32(Reduction op, double* results, const float* x, int64_t rows, int64_t columns,
                      int64_t row_stride);

}  // namespace gatun::kernels
