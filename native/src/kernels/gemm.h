// The micro-kernels under every product and convolution: a tile of a few rows by one to three
// vectors of columns, summed in registers over runs of depth, with bias and ReLU before the only
// store. A driver decides what rows, columns and depth are: pixels, output channels and kernel rows
// times input channels for a convolution, taps times input channels, output channels and pixels for
// its weight gradient. Element (i, j) sums in the order of runs and depth whatever the tile's size,
// so drivers may cut tiles as they like without changing a bit.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gatun::kernels {

constexpr int kMaxVectors = 2;
constexpr int kMaxPackedVectors = 3;
constexpr int kMaxRows = 16;
constexpr int kMaxPackedRows = 8;

// A stretch of depth that is contiguous (by the tile's steps) in A and in B.
struct Run {
  int64_t a = 0;  // elements to add to A's row starts
  int64_t b = 0;  // depth steps to skip in B
};

// y[i][j] = activation(start + sum over runs, d < depth of A[i][run.a + d * a_step] * B[(run.b + d)
// * b_step + j])
struct Tile {
  const float* const* a = nullptr;  // gathered: where each row starts; otherwise: where the first
                                    // does, the others follow
  int64_t a_step = 1;               // gathered rows run along depth
  const float* b = nullptr;  // whole vectors of columns, also where `columns` ends inside one
  int64_t b_step = 0;
  const Run* runs = nullptr;
  int64_t run_count = 0;
  int64_t depth = 0;
  float* const* y = nullptr;    // where each row of the result starts
  int64_t columns = 0;          // to store, up to some lane of the last vector
  const float* bias = nullptr;  // start: whole vectors of columns, or zero
  bool accumulate = false;      // start: what y holds, instead of bias
  bool relu = false;
  // adjacent and packed only: rows that the next tile will read or write, asked for one by one
  // along the way. All at once they would keep loads of A and B waiting. Packed tiles must have
  // some.
  const float* ahead = nullptr;
  int64_t ahead_row = 0;  // elements between them
  // packed only: a stretch of B, `next_b_step` elements for each step of depth, that a later tile
  // will read. It is asked for along the way and goes to L2.
  const float* next_b = nullptr;
  int64_t next_b_step = 0;
};

using MicroKernel = void (*)(const Tile&);

// y[i][j] = activation(start + sum over d < depth of A[i][d] * B[j][d]): both operands run along
// depth, so that neither needs packing. Worth it while A stays in L2.
struct DotTile {
  const float* const* a = nullptr;  // where each row of A starts
  const float* b = nullptr;
  int64_t b_row = 0;  // elements between the rows of B, which are the columns of the result
  int64_t depth = 0;
  float* const* y = nullptr;
  const float* bias = nullptr;  // start, or zero
  bool accumulate = false;      // start: what y holds, instead of bias
  bool relu = false;
};
constexpr int kMaxDotRows = 6, kMaxDotColumns = 4;
using DotKernel = void (*)(const DotTile&);

// Kernels for tiles of some vectors by up to max_rows[vectors] rows: of[vectors][rows].
struct KernelFamily {
  int max_rows[kMaxPackedVectors + 1] = {};
  MicroKernel of[kMaxPackedVectors + 1][kMaxRows + 1] = {};
};

// The micro-kernels of one SIMD level.
struct MicroKernels {
  int lanes = 0;
  KernelFamily gathered;  // rows of A start anywhere and run along depth: pixels, rows of a matrix
  KernelFamily adjacent;  // rows of A lie side by side: channels, columns of a matrix
  KernelFamily packed;    // so do they here, and so does B; there is one run
  int packed_vectors = 0;
  int dot_rows = 0, dot_columns = 0;
  DotKernel dot[kMaxDotRows + 1][kMaxDotColumns + 1] = {};
};

// Those of the best SIMD level this process may use now.
const MicroKernels& micro_kernels();

// Columns in panels of two vectors, or `most`. If they do not divide, the last has fewer, and the
// last two share what one vector alone would be.
class Panels {
 public:
  Panels(const MicroKernels& kernels, int64_t columns) : Panels(kernels.lanes, 2, columns) {}
  Panels(int lanes, int most, int64_t columns)
      : columns_(columns), lanes_(lanes), most_(most), vectors_((columns + lanes - 1) / lanes) {}

  int64_t total_columns() const { return columns_; }
  int64_t count() const { return (vectors_ + most_ - 1) / most_; }
  int64_t padded_columns() const { return vectors_ * lanes_; }
  // The first column; times depth, the packed panel.
  int64_t start(int64_t panel) const { return first_vector(panel) * lanes_; }
  int vectors(int64_t panel) const {
    return static_cast<int>(first_vector(panel + 1) - first_vector(panel));
  }
  int64_t width(int64_t panel) const { return vectors(panel) * lanes_; }
  int64_t columns(int64_t panel) const { return std::min(width(panel), columns_ - start(panel)); }

 private:
  int64_t first_vector(int64_t panel) const {
    const int64_t lonely = most_ > 2 && vectors_ > most_ && vectors_ % most_ == 1;
    return panel < count() ? panel * most_ - (panel + 1 == count() ? lonely : 0) : vectors_;
  }

  int64_t columns_, lanes_, most_, vectors_;
};

// Cuts n rows into the fewest pieces of at most `most`, as equal as can be.
class Pieces {
 public:
  Pieces(int64_t n, int64_t most) : n_(n), count_((n + most - 1) / most) {}
  int64_t count() const { return count_; }
  int64_t begin(int64_t i) const { return n_ * i / count_; }
  int64_t end(int64_t i) const { return n_ * (i + 1) / count_; }

 private:
  int64_t n_, count_;
};

// Packs `columns` columns of B into rows of `width` floats, zeros behind them: row d holds
// B[d][0..columns). B[d][j] = b[d * stride + j].
void pack_columns(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                  int64_t depth);
// B[d][j] = b[j * stride + d].
void pack_transposed(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                     int64_t depth);

}  // namespace gatun::kernels
