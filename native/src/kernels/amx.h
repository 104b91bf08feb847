// Products of bf16 on the tile unit of x86 processors (AMX), where may_use_tiles(). A tile is a
// register of 16 rows by 64 bytes; one instruction adds the products of 16 rows of A, 16 pairs of
// depth each, by 16 columns of B, packed into rows of pairs as for the kernels of gemm_bf16.h. Sums
// are f32 and denormals are zeros. Elsewhere than on x86 nothing here may be called.
#pragma once

#include <cstdint>

#include "kernels/gemm_bf16.h"

namespace gatun::kernels::amx {

constexpr int64_t kRows = 16;   // of a tile; as many columns of sums
constexpr int64_t kWords = 16;  // of depth
constexpr int kMaxTiles = 4;    // of A at once, by one tile of columns; or 2 by 2

constexpr int max_row_tiles(int column_tiles) { return column_tiles == 1 ? kMaxTiles : 2; }

// Rows at once in the tile unit, for `rows` that are left: rows of whole tiles, or of one.
inline int64_t row_tiles(int64_t rows, int column_tiles) {
  return std::clamp<int64_t>(rows / kRows, 1, max_row_tiles(column_tiles));
}

// The tile registers, this thread's from here to the end of the block; at most one at a time.
class Tiles {
 public:
  explicit Tiles(int64_t depth);  // words of each run of the products to come
  ~Tiles();
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// sums[i][j] = start[i][j] + sum over runs, p < depth of A[i][run.a + p] . B[run.b + p][j], for
// whole tiles of rows and of columns. Reads A's rows no further than the runs go.
struct Product {
  const Bf16* a[kMaxTiles] = {};  // where the first row of each tile starts, at any even address
  int64_t a_row = 0;              // elements from a row to the next
  const uint32_t* b = nullptr;
  int64_t b_row = 0;  // words
  const Run* runs = nullptr;
  int64_t run_count = 0;
  int64_t depth = 0;             // words
  const float* start = nullptr;  // or zeros
  int64_t start_row = 0;         // 0 for a bias
  float* sums = nullptr;
  int64_t sums_row = 0;
};
void multiply(const Product& product, int64_t row_tiles, int column_tiles);

// y[i * y_row + j] = activation(sums[i][j]) rounded, for two tiles of columns at most.
void round_rows(Bf16* y, int64_t y_row, int64_t rows, int64_t columns, const float* sums,
                int64_t sums_row, bool relu);

// What becomes depth, one pixel or row after the other, from wherever they lie; NULL is zeros.

// to[j * to_row + i] = from[i][start + j] for i < count, j < columns, and zeros up to a multiple of
// 32 of i.
void stand_up(Bf16* to, int64_t to_row, const Bf16* const* from, int64_t count, int64_t start,
              int64_t columns);

// words[i * padded + j] = (from[2 i][j], from[2 i + 1][j]) for i < pairs, j < columns; 0 up to
// `padded`.
void pair_up(uint32_t* words, int64_t padded, const Bf16* const* from, int64_t pairs,
             int64_t columns);

// What pack_pairs_transposed() does, for a width of whole tiles.
void pack_words(uint32_t* panel, int64_t width, const Bf16* b, int64_t stride, int64_t columns,
                int64_t depth);

}  // namespace gatun::kernels::amx
