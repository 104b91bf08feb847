#include "kernels/gemm_bf16.h"

#include <algorithm>

#include "core/simd_level.h"
#include "kernels/amx.h"

namespace gatun::kernels {
namespace {

uint32_t pair(Bf16 low, Bf16 high) { return low.bits | static_cast<uint32_t>(high.bits) << 16; }

}  // namespace

void pack_pairs(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride, int64_t columns,
                int64_t depth) {
  for (int64_t d = 0; d < depth; d += 2, panel += width) {
    const Bf16* row = b + d * stride;
    pair_kernels().interleave(panel, row, d + 1 < depth ? row + stride : nullptr, columns);
    std::fill(panel + columns, panel + width, 0u);
  }
}

void pack_pairs_transposed(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride,
                           int64_t columns, int64_t depth) {
  if (may_use_tiles()) return amx::pack_words(panel, width, b, stride, columns, depth);
  constexpr int64_t kBlock = 32;  // one cache line of every column at a time
  for (int64_t d0 = 0; d0 < depth; d0 += kBlock) {
    const int64_t d1 = std::min(d0 + kBlock, depth);
    for (int64_t j = 0; j < columns; ++j) {
      const Bf16* column = b + j * stride;
      for (int64_t d = d0; d < d1; d += 2) {
        panel[d / 2 * width + j] = pair(column[d], d + 1 < depth ? column[d + 1] : Bf16{});
      }
    }
    for (int64_t d = d0; d < d1; d += 2) {
      std::fill(panel + d / 2 * width + columns, panel + (d / 2 + 1) * width, 0u);
    }
  }
}

}  // namespace gatun::kernels
