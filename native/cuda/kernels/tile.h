// Tiles of a product's operands in shared memory, and how they get there. An operand is a source:
// it has lines, which are sums' terms or results, and positions along them, which lie side by side
// in memory. A tile along depth has a line for each result and positions along the sums; one along
// results the other way round.
#pragma once

#include "cuda/primitives.h"

namespace gatun::cuda {

// Elements that are copied together: 16 bytes.
template <typename T>
constexpr int kChunk = static_cast<int>(16 / sizeof(T));

// Lines of `width` elements. A line's chunks change places with each other, so that the same chunk
// of eight lines after each other, as well as eight chunks of one line, lie in different banks.
template <typename T, int lines, int width>
struct TileLayout {
  static constexpr int kElements = lines * width;
  static constexpr int kChunks = width / kChunk<T>;  // of a line, a power of two

  // The first element of a chunk. Lines a multiple of 8 apart are permuted alike: their places
  // differ by a constant.
  static __device__ int place(int line, int chunk) {
    constexpr unsigned kSpan = kChunks < 8 ? kChunks : 8;
    auto turn = static_cast<unsigned>(line) / (8 / kSpan) % kSpan;
    // Two neighbouring chunks of four lines after each other lie in different banks as well.
    if constexpr (kSpan == 8) turn = turn * 2 % 8 + turn / 4;
    return (line * kChunks + (chunk ^ static_cast<int>(turn))) * kChunk<T>;
  }
};

// A tile of `extent` results by `depth` terms.
template <typename T, int extent, int depth, bool along_depth>
struct OperandTile : TileLayout<T, along_depth ? extent : depth, along_depth ? depth : extent> {
  static constexpr int kLines = along_depth ? extent : depth;
};

// Copies tiles of a source, a share by each of the block's threads. A source has
//   Line line(i), Position position(j)   for any i and j from 0 on
//   at(line, position)    the element's place in `data`; negative where it is 0
// and is made of whole chunks: their places are aligned, and all of a chunk is there or 0.
template <typename Source, int extent, int depth, bool along_depth, int threads>
class TileLoader {
 public:
  using T = typename Source::Element;
  using Tile = OperandTile<T, extent, depth, along_depth>;

  // Of results from `first` on.
  __device__ TileLoader(const Source& source, int64_t first)
      : source_(source), column_(thread() % Tile::kChunks), row_(thread() / Tile::kChunks) {
    if constexpr (along_depth) {
      GATUN_UNROLL
      for (int i = 0; i < kShare; ++i) lines_[i] = source.line(first + row_ + i * kStep);
    } else {
      position_ = source.position(first + column_ * kChunk<T>);
    }
  }

  // Of terms from `term` on.
  __device__ void load(Shared<T> to, int64_t term) const {
    if (kStep > Tile::kLines && row_ >= Tile::kLines) return;
    if constexpr (along_depth) {
      const Position position = source_.position(term + column_ * kChunk<T>);
      GATUN_UNROLL
      for (int i = 0; i < kShare; ++i) load_chunk(to, i, lines_[i], position);
    } else {
      GATUN_UNROLL
      for (int i = 0; i < kShare; ++i) {
        load_chunk(to, i, source_.line(term + row_ + i * kStep), position_);
      }
    }
  }

 private:
  using Line = typename Source::Line;
  using Position = typename Source::Position;
  static constexpr int kStep = threads / Tile::kChunks;  // lines between a thread's chunks
  static constexpr int kShare = kStep < Tile::kLines ? Tile::kLines / kStep : 1;
  static_assert(kStep * Tile::kChunks == threads && (Tile::kLines % kStep == 0 || kShare == 1));

  static __device__ int thread() { return static_cast<int>(threadIdx.x); }

  __device__ void load_chunk(Shared<T> to, int i, const Line& line,
                             const Position& position) const {
    const int64_t at = source_.at(line, position);
    copy_async(to, Tile::place(row_ + i * kStep, column_), source_.data, at, at >= 0);
  }

  const Source& source_;
  const int column_, row_;
  Line lines_[along_depth ? kShare : 1];
  Position position_{};
};

// Rows of a matrix; a line is a row.
template <typename T>
struct MatrixSource {
  using Element = T;
  using Line = int64_t;
  using Position = int64_t;

  Global<const T> data;
  int64_t rows, columns, row_step;

  __device__ Line line(int64_t i) const { return i < rows ? i * row_step : -1; }
  __device__ Position position(int64_t j) const { return j < columns ? j : -1; }
  __device__ int64_t at(Line line, Position position) const {
    return line < 0 || position < 0 ? -1 : line + position;
  }
};

}  // namespace gatun::cuda
