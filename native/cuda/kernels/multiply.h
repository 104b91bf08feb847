// Products of two tiles in shared memory, added to sums that the block's threads share out: by
// multiply-adds, which are exact in their type, or on tensor cores, in bf16 and tf32. The terms of
// a sum are added in their order, whatever the tile's size.
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

// What a warp reads of tiles and multiplies at a time, on tensor cores: kTerms terms. load() reads
// four matrices of 8 results by half of the terms, from result `first` and term `k` on. On the left
// side matrix 1 has the next results and matrix 2 the next terms, on the right side it is the other
// way round: the first 8 results come first.
struct Bf16Fragments {
  using Element = Bf16;
  static constexpr int kTerms = 16;
  static constexpr int kDepth = 32;

  template <typename Tile, bool along_depth, bool left>
  static __device__ void load(uint32_t (&words)[4], Shared<Bf16> tile, int first, int k) {
    // The lane names a row of one of the matrices.
    const int m = lane() / 8, within = lane() % 8;
    const int result = first + (left ? m % 2 : m / 2) * 8, term = k + (left ? m / 2 : m % 2) * 8;
    if constexpr (along_depth) {
      load_matrix(words, tile.at(Tile::place(result + within, term / 8)));
    } else {
      load_matrix_transposed(words, tile.at(Tile::place(term + within, result / 8)));
    }
  }
  static __device__ void multiply(float (&sums)[4], const uint32_t (&a)[4],
                                  const uint32_t (&b)[2]) {
    mma_bf16(sums, a, b);
  }
};

// f32 whose factors are rounded to tf32: 11 significant bits, to nearest, ties away from 0.
struct Tf32Fragments {
  using Element = float;
  static constexpr int kTerms = 8;
  static constexpr int kDepth = 16;

  template <typename Tile, bool along_depth, bool left>
  static __device__ void load(uint32_t (&words)[4], Shared<float> tile, int first, int k) {
    const auto result = [&](int m) { return first + (left ? m % 2 : m / 2) * 8; };
    const auto term = [&](int m) { return k + (left ? m / 2 : m % 2) * 4; };
    if constexpr (along_depth) {
      // Rows of 4 terms are to the instruction rows of 8 elements of 16 bits.
      const int m = lane() / 8;
      load_matrix(words, tile.at(Tile::place(result(m) + lane() % 8, term(m) / 4)));
      GATUN_UNROLL
      for (int i = 0; i < 4; ++i) words[i] = to_tf32(words[i]);
    } else {
      GATUN_UNROLL
      for (int m = 0; m < 4; ++m) {
        const int mine = result(m) + lane() / 4;
        words[m] = to_tf32(float(tile[Tile::place(term(m) + lane() % 4, mine / 4) + mine % 4]));
      }
    }
  }
  static __device__ void multiply(float (&sums)[4], const uint32_t (&a)[4],
                                  const uint32_t (&b)[2]) {
    mma_tf32(sums, a, b);
  }
};

// Tensor cores with sums in f32, by four warps. A warp sums `warp_rows` by `warp_columns` results.
template <typename Fragments, int rows, int columns, int warp_rows, int warp_columns,
          bool a_along_depth, bool b_along_depth>
class MmaEngine {
 public:
  using Element = typename Fragments::Element;
  using Sum = float;
  static constexpr int kThreads = 128;
  static constexpr int kBlocks = 2;
  static constexpr int kDepth = Fragments::kDepth;
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

  __device__ void multiply(Shared<Element> a, Shared<Element> b) {
    GATUN_UNROLL
    for (int k = 0; k < kDepth; k += Fragments::kTerms) {
      uint32_t left[kSquares][4], right[kRuns / 2][4];
      GATUN_UNROLL
      for (int i = 0; i < kSquares; ++i) {
        Fragments::template load<A, a_along_depth, true>(left[i], a, first_row_ + i * 16, k);
      }
      GATUN_UNROLL
      for (int j = 0; j < kRuns / 2; ++j) {
        Fragments::template load<B, b_along_depth, false>(right[j], b, first_column_ + j * 16, k);
      }
      GATUN_UNROLL
      for (int i = 0; i < kSquares; ++i) {
        GATUN_UNROLL
        for (int j = 0; j < kRuns; ++j) {
          const uint32_t pair[2] = {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]};
          Fragments::multiply(sums_[i][j], left[i], pair);
        }
      }
    }
  }

 private:
  static constexpr int kAcross = columns / warp_columns;  // warps
  static constexpr int kSquares = warp_rows / 16;
  using A = OperandTile<Element, rows, kDepth, a_along_depth>;
  using B = OperandTile<Element, columns, kDepth, b_along_depth>;

  const int first_row_, first_column_;
  float sums_[kSquares][kRuns][4] = {};
};

// f32 that is multiplied in tf32: what a product is asked for in, in the place of its elements'
// type.
struct Tf32 {};

// The engine of such a type for a tile.
template <typename P, int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOf {
  using Type = FmaEngine<P, rows, columns, a_along_depth, b_along_depth>;
};
template <typename Fragments, int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOnTensorCores {
  static constexpr int kWarpColumns = columns == 32 ? 32 : columns / 2;
  using Type = MmaEngine<Fragments, rows, columns, rows * columns / 4 / kWarpColumns, kWarpColumns,
                         a_along_depth, b_along_depth>;
};
template <int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOf<Bf16, rows, columns, a_along_depth, b_along_depth>
    : EngineOnTensorCores<Bf16Fragments, rows, columns, a_along_depth, b_along_depth> {};
template <int rows, int columns, bool a_along_depth, bool b_along_depth>
struct EngineOf<Tf32, rows, columns, a_along_depth, b_along_depth>
    : EngineOnTensorCores<Tf32Fragments, rows, columns, a_along_depth, b_along_depth> {};

}  // namespace gatun::cuda
