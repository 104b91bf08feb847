// What forward and backward of the recurrent engine share: how the batch is cut into tasks, and the
// product of some rows with packed weights.
#pragma once

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/recurrent.h"

namespace gatun::kernels {

// Sequences do not touch each other, so a task takes some of them through all steps on its own, and
// no two threads ever wait for each other between steps. Each row is summed in the same order
// however many there are in a task, so the cut may look at the number of workers.
class RowChunks {
 public:
  RowChunks(const Sequence& s, int workers) : directions_(s.directions()), pieces_(0, 1) {
    const int64_t tasks = std::max<int64_t>(1, workers / directions_);
    const int64_t rows = std::clamp((s.batch + tasks - 1) / tasks, kLeastRows, kMostRows);
    pieces_ = Pieces(s.batch, rows);
    most_ = std::min(s.batch, rows);
  }

  int64_t tasks() const { return directions_ * pieces_.count(); }
  int direction(int64_t task) const { return static_cast<int>(task % directions_); }
  int64_t begin(int64_t task) const { return pieces_.begin(task / directions_); }
  int64_t end(int64_t task) const { return pieces_.end(task / directions_); }
  int64_t most() const { return most_; }

 private:
  // Fewer rows would read the weights too often; more would not stay in L2 beside them.
  static constexpr int64_t kLeastRows = 4, kMostRows = 64;
  int64_t directions_, most_ = 0;
  Pieces pieces_;
};

// y[r][0..columns) = (accumulate ? y : 0) + a[r] panel, for rows r of the given strides.
inline void multiply_rows(const MicroKernels& kernels, int vectors, const float* a, int64_t a_row,
                          int64_t rows, const float* panel, int64_t width, int64_t depth, float* y,
                          int64_t y_row, int64_t columns, bool accumulate) {
  const float* a_rows[kMaxRows];
  float* y_rows[kMaxRows];
  const Run whole;
  Tile tile;
  tile.a = a_rows;
  tile.b = panel;
  tile.b_step = width;
  tile.runs = &whole;
  tile.run_count = 1;
  tile.depth = depth;
  tile.y = y_rows;
  tile.columns = columns;
  tile.accumulate = accumulate;
  const Pieces pieces(rows, kernels.gathered.max_rows[vectors]);
  for (int64_t piece = 0; piece < pieces.count(); ++piece) {
    const int64_t first = pieces.begin(piece);
    const auto count = static_cast<int>(pieces.end(piece) - first);
    for (int i = 0; i < count; ++i) {
      a_rows[i] = a + (first + i) * a_row;
      y_rows[i] = y + (first + i) * y_row;
    }
    kernels.gathered.of[vectors][count](tile);
  }
}

}  // namespace gatun::kernels
