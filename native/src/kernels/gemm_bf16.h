// The micro-kernels of bf16, brothers of those in gemm.h. Depth goes by pairs: a word holds the
// values of two neighbouring steps, the earlier one in its lower half, and a step of the kernel
// multiplies both and adds both products to an f32 sum. Rows of bf16 that run along depth are words
// as they lie; everything else is packed. Processors with vdpbf16ps do a step in one instruction.
#pragma once

#include <cstdint>

#include "core/bf16.h"
#include "kernels/gemm.h"

namespace gatun::kernels {

// y[i][j] = activation(bias[j] + sum over runs, p < depth of A[i][run.a + p] . B[run.b + p][j]),
// where . is the dot product of two pairs, and a, b, runs and depth count words.
struct PairTile {
  const Bf16* const* a = nullptr;  // where each row starts, at any even address
  const uint32_t* b = nullptr;     // whole vectors of columns, also where `columns` ends inside one
  int64_t b_step = 0;
  const Run* runs = nullptr;
  int64_t run_count = 0;
  int64_t depth = 0;
  Bf16* const* y = nullptr;     // where each row of the result starts
  int64_t columns = 0;          // to store; the others are computed and dropped
  const float* bias = nullptr;  // whole vectors of columns, or zero
  bool relu = false;
};
using PairKernel = void (*)(const PairTile&);

// y[i][j] += sum over runs, p < depth of A[run.a + p * a_step + i] . B[run.b + p][j]: rows of A lie
// side by side, the sums stay f32. Whole vectors of columns.
struct PairSumTile {
  const uint32_t* a = nullptr;
  int64_t a_step = 0;
  const uint32_t* b = nullptr;
  int64_t b_step = 0;
  const Run* runs = nullptr;
  int64_t run_count = 0;
  int64_t depth = 0;
  float* y = nullptr;
  int64_t y_row = 0;
};
using PairSumKernel = void (*)(const PairSumTile&);

// Kernels for tiles of 1 or 2 vectors by up to max_rows[vectors] rows: of[vectors][rows].
template <typename Kernel>
struct PairFamily {
  int max_rows[kMaxVectors + 1] = {};
  Kernel of[kMaxVectors + 1][kMaxRows + 1] = {};
};

struct PairKernels {
  int lanes = 0;
  PairFamily<PairKernel> gathered;
  PairFamily<PairSumKernel> adjacent;
  // words[i] = (low[i], high[i]); high is zeros where it is NULL.
  void (*interleave)(uint32_t* words, const Bf16* low, const Bf16* high, int64_t count) = nullptr;
};

// Those of the best SIMD level this process may use now.
const PairKernels& pair_kernels();

// Packs `columns` columns of B into rows of `width` words, zeros behind them: row p holds the pairs
// (B[2p][j], B[2p + 1][j]), with a zero beyond an odd depth. B[d][j] = b[d * stride + j].
void pack_pairs(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride, int64_t columns,
                int64_t depth);
// B[d][j] = b[j * stride + d].
void pack_pairs_transposed(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride,
                           int64_t columns, int64_t depth);

}  // namespace gatun::kernels
