#include "kernels/gemm.h"

#include <cstring>

namespace gatun::kernels {

void pack_columns(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                  int64_t depth) {
  for (int64_t d = 0; d < depth; ++d) {
    float* row = panel + d * width;
    std::memcpy(row, b + d * stride, columns * sizeof(float));
    std::fill(row + columns, row + width, 0.0f);
  }
}

void pack_transposed(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                     int64_t depth) {
  constexpr int64_t kBlock = 16;  // one cache line of every column at a time
  for (int64_t d0 = 0; d0 < depth; d0 += kBlock) {
    const int64_t d1 = std::min(d0 + kBlock, depth);
    for (int64_t j = 0; j < columns; ++j) {
      const float* column = b + j * stride;
      for (int64_t d = d0; d < d1; ++d) panel[d * width + j] = column[d];
    }
    for (int64_t d = d0; d < d1; ++d) {
      std::fill(panel + d * width + columns, panel + (d + 1) * width, 0.0f);
    }
  }
}

}  // namespace gatun::kernels
