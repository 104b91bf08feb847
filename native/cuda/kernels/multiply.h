// Products of two tiles in shared memory, added to sums that the block's threads share out: by
// multiply-adds, which are exact in their type, or on tensor cores. The terms of a sum are added in
// their order, whatever the tile's size.
//
// An engine's thread has kRows rows of kRuns runs of kRun columns side by side.
#pragma once

#include "cuda/kernels/tile.h"

namespace gatun::cuda {

// f32 and f64. A thread sums `rows / ty` by `columns / tx` results.
template <typename T, int rows, int columns, bool a_along_depth, bool b_along_depth>
class FmaEngine {
 public:
  using Element = T;
  using Sum = T;
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = 2;  // at least, at once on a multiprocessor
  static constexpr int kDepth = 16;

 private:
  static constexpr int kAcross = columns >= 64 ? 16 : 8;  // threads
  static constexpr int kDown = kThreads / kAcross;
  static constexpr int kWide = columns / kAcross;  // results of a thread
  using A = OperandTile<T, rows, kDepth, a_along_depth>;
  using B = OperandTile<T, columns, kDepth, b_along_depth>;

 public:
  static constexpr int kRows = rows / kDown;
  static constexpr int kRun = b_along_depth ? 1 : kChunk<T>;
  static constexpr int kRuns = kWide / kRun;

  __device__ FmaEngine()
      : tx_(static_cast<int>(threadIdx.x) % kAcross),
        ty_(static_cast<int>(threadIdx.x) / kAcross) {}

  __device__ int row(int i) const { return extent<a_along_depth, kDown>(ty_, i); }
  __device__ int column(int run) const { return extent<b_along_depth, kAcross>(tx_, run * kRun); }
  __device__ Pack<T, kRun> run(int i, int run) const {
    Pack<T, kRun> pack;
    GATUN_UNROLL
    for (int k = 0; k < kRun; ++k) pack.values[k] = sums_[i][run * kRun + k];
    return pack;
  }

  __device__ void multiply(Shared<T> a, Shared<T> b) {
    GATUN_ROLL  // loads of more than one turn ahead would not fit into registers
        for (int k = 0; k < kDepth; k += kChunk<T>) {
      // A chunk of terms of all results along depth; all results of a term otherwise.
      T left[kRows][kTerms<a_along_depth>], right[kWide][kTerms<b_along_depth>];
      if constexpr (a_along_depth) load_chunks<A, kDown>(left, a, ty_, k);
      if constexpr (b_along_depth && !a_along_depth) load_chunks<B, kAcross>(right, b, tx_, k);
      if constexpr (a_along_depth && b_along_depth) {
        GATUN_UNROLL
        for (int j = 0; j < kWide; ++j) {
          load_chunk<B>(right[j], b, j * kAcross + tx_, k);
          GATUN_UNROLL
          for (int e = 0; e < kChunk<T>; ++e) {
            GATUN_UNROLL
            for (int i = 0; i < kRows; ++i) {
              sums_[i][j] = math::fma(left[i][e], right[j][e], sums_[i][j]);
            }
          }
        }
      } else {
        GATUN_UNROLL
        for (int e = 0; e < kChunk<T>; ++e) {
          if constexpr (!a_along_depth) load_term<A, kDown>(left, a, ty_, k + e);
          if constexpr (!b_along_depth) load_term<B, kAcross>(right, b, tx_, k + e);
          GATUN_UNROLL
          for (int i = 0; i < kRows; ++i) {
            GATUN_UNROLL
            for (int j = 0; j < kWide; ++j) {
              sums_[i][j] = math::fma(left[i][a_along_depth ? e : 0],
                                      right[j][b_along_depth ? e : 0], sums_[i][j]);
            }
          }
        }
      }
    }
  }

 private:
  template <bool along_depth>
  static constexpr int kTerms = along_depth ? kChunk<T> : 1;

  // Which result is a thread's i-th: every `threads`-th along depth, whole chunks along results.
  template <bool along_depth, int threads>
  static __device__ int extent(int thread, int i) {
    if constexpr (along_depth) return i * threads + thread;
    return (i / kChunk<T> * threads + thread) * kChunk<T> + i % kChunk<T>;
  }

  template <typename Tile>
  static __device__ void load_chunk(T (&to)[kChunk<T>], Shared<T> tile, int line, int k) {
    const auto pack = tile.template load<kChunk<T>>(Tile::place(line, k / kChunk<T>));
    GATUN_UNROLL
    for (int e = 0; e < kChunk<T>; ++e) to[e] = pack.values[e];
  }
  template <typename Tile, int threads, int count>
  static __device__ void load_chunks(T (&to)[count][kChunk<T>], Shared<T> tile, int thread, int k) {
    GATUN_UNROLL
    for (int i = 0; i < count; ++i) load_chunk<Tile>(to[i], tile, i * threads + thread, k);
  }
  template <typename Tile, int threads, int count>
  static __device__ void load_term(T (&to)[count][1], Shared<T> tile, int thread, int k) {
    GATUN_UNROLL
    for (int i = 0; i < count; i += kChunk<T>) {
      const auto pack =
          tile.template load<kChunk<T>>(Tile::place(k, i / kChunk<T> * threads + thread));
      GATUN_UNROLL
      for (int x = 0; x < kChunk<T>; ++x) to[i + x][0] = pack.values[x];
    }
  }

  const int tx_, ty_;
  T sums_[kRows][kWide] = {};
};

// bf16 with sums in f32, by four warps. A warp sums `warp_rows` by `warp_columns` results.
template <int rows, int columns, int warp_rows, int warp_columns, bool a_along_depth,
          bool b_along_depth>
class MmaEngine {
 public:
  using Element = Bf16;
  using Sum = float;
  static constexpr int kThreads = 128;
  static constexpr int kBlocks = 2;
  static constexpr int kDepth = 32;
  static constexpr int kRows = warp_rows / 8;
  static constexpr int kRun = 2;
  static constexpr int kRuns = warp_columns / 8;
  static_assert(rows * columns == 4 * warp_rows * warp_columns);

  __device__ MmaEngine()
      : first_row_(warp() / kAcross * warp_rows), first_column_(warp() % kAcross * warp_columns) {}

  __device__ int row(int i) const { return first_row_ + i * 8 + lane() / 4; }
  __device__ int column(int run) const { return first_column_ + run * 8 + lane() % 4 * 2; }
  __device__ Pack<float, 2> run(int i, int run) const {
    const float* const four = sums_[i / 2][run];
    return {{four[i % 2 * 2], four[i % 2 * 2 + 1]}};
  }

  __device__ void multiply(Shared<Bf16> a, Shared<Bf16> b) {
    GATUN_UNROLL
    for (int k = 0; k < kDepth; k += 16) {
      uint32_t left[kSquares][4], right[kRuns / 2][4];
      GATUN_UNROLL
      for (int i = 0; i < kSquares; ++i) load_left(left[i], a, first_row_ + i * 16, k);
      GATUN_UNROLL
      for (int j = 0; j < kRuns / 2; ++j) load_right(right[j], b, first_column_ + j * 16, k);
      GATUN_UNROLL
      for (int i = 0; i < kSquares; ++i) {
        GATUN_UNROLL
        for (int j = 0; j < kRuns; ++j) {
          const uint32_t pair[2] = {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]};
          mma_bf16(sums_[i][j], left[i], pair);
        }
      }
    }
  }

 private:
  static constexpr int kAcross = columns / warp_columns;  // warps
  static constexpr int kSquares = warp_rows / 16;
  using A = OperandTile<Bf16, rows, kDepth, a_along_depth>;
  using B = OperandTile<Bf16, columns, kDepth, b_along_depth>;

  // 16 results by 16 terms: upper and lower rows of the first 8 terms, then of the others. The lane
  // names a row of one of these four matrices.
  static __device__ void load_left(uint32_t (&words)[4], Shared<Bf16> tile, int row, int k) {
    const int matrix = lane() / 8, within = lane() % 8;
    const int r = row + matrix % 2 * 8, d = k + matrix / 2 * 8;
    if constexpr (a_along_depth) {
      load_matrix(words, tile.at(A::place(r + within, d / 8)));
    } else {
      load_matrix_transposed(words, tile.at(A::place(d + within, r / 8)));
    }
  }

  // The first 8 results' first 8 terms, their other terms, then those of the other results.
  static __device__ void load_right(uint32_t (&words)[4], Shared<Bf16> tile, int column, int k) {
    const int matrix = lane() / 8, within = lane() % 8;
    const int c = column + matrix / 2 * 8, d = k + matrix % 2 * 8;
    if constexpr (b_along_depth) {
      load_matrix(words, tile.at(B::place(c + within, d / 8)));
    } else {
      load_matrix_transposed(words, tile.at(B::place(d + within, c / 8)));
    }
  }

  const int first_row_, first_column_;
  float sums_[kSquares][kRuns][4] = {};
};

// The engine of an element's type for a tile.
template <typename T, int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOf {
  using Type = FmaEngine<T, rows, columns, a_along_depth, b_along_depth>;
};
template <int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOf<Bf16, rows, columns, a_along_depth, b_along_depth> {
  static constexpr int kWarpColumns = columns == 32 ? 32 : columns / 2;
  using Type = MmaEngine<rows, columns, rows * columns / 4 / kWarpColumns, kWarpColumns,
                         a_along_depth, b_along_depth>;
};

}  // namespace gatun::cuda
