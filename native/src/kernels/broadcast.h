// The shape of a binary instruction, seen as rows: y is dense, and the operands repeat along some
// of its axes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace gatun::kernels {

// Some rows of y, which lie together. An operand's row is dense, or a single element that serves
// all columns.
struct RowBlock {
  int64_t rows = 1;
  int64_t columns = 1;
  int64_t a_row_stride = 0;
  int64_t b_row_stride = 0;
  bool a_is_dense = true;
  bool b_is_dense = true;
};

class Broadcast {
 public:
  Broadcast(const Tensor& y, const Tensor& a, const Tensor& b) {
    std::array<Axis, GT_MAX_RANK> reversed{};
    int64_t a_stride = 1, b_stride = 1;
    for (int32_t i = 0; i < y.rank; ++i) {  // from the last axis
      const int64_t a_dim = i < a.rank ? a.dims[a.rank - 1 - i] : 1;
      const int64_t b_dim = i < b.rank ? b.dims[b.rank - 1 - i] : 1;
      reversed[i] = {y.dims[y.rank - 1 - i], a_dim == 1 ? 0 : a_stride, b_dim == 1 ? 0 : b_stride};
      a_stride *= a_dim;
      b_stride *= b_dim;
    }
    for (int32_t i = y.rank - 1; i >= 0; --i) push(reversed[i]);
    while (rank_ < 2) {
      std::copy_backward(axes_.begin(), axes_.begin() + rank_, axes_.begin() + rank_ + 1);
      axes_[0] = {};
      ++rank_;
    }
  }

  // Calls block(offset in y, offset in a, offset in b, RowBlock) for parts that make up y's
  // elements [begin, end).
  template <typename F>
  void for_blocks(int64_t begin, int64_t end, F&& block) const {
    const Axis& column = axes_[rank_ - 1];
    const Axis& row = axes_[rank_ - 2];
    for (int64_t at = begin; at < end;) {
      const int64_t c = at % column.dim, r = at / column.dim % row.dim;
      RowBlock part{
          1, column.dim, row.a_stride, row.b_stride, column.a_stride != 0, column.b_stride != 0};
      if (c == 0 && end - at >= column.dim) {
        part.rows = std::min(row.dim - r, (end - at) / column.dim);
      } else {
        part.columns = std::min(column.dim - c, end - at);
      }
      int64_t in_a = c * column.a_stride + r * row.a_stride;
      int64_t in_b = c * column.b_stride + r * row.b_stride;
      int64_t rest = at / column.dim / row.dim;
      for (int32_t k = rank_ - 3; k >= 0; --k) {
        const int64_t i = rest % axes_[k].dim;
        rest /= axes_[k].dim;
        in_a += i * axes_[k].a_stride;
        in_b += i * axes_[k].b_stride;
      }
      block(at, in_a, in_b, part);
      at += part.rows * part.columns;
    }
  }

 private:
  struct Axis {
    int64_t dim = 1;
    int64_t a_stride = 0;  // in elements; 0 where the operand repeats
    int64_t b_stride = 0;
  };

  // Leaves out axes of size 1, and joins an axis with the one before it where both operands go on
  // evenly.
  void push(const Axis& axis) {
    if (axis.dim == 1) return;
    if (rank_ > 0) {
      Axis& former = axes_[rank_ - 1];
      if (former.a_stride == axis.dim * axis.a_stride &&
          former.b_stride == axis.dim * axis.b_stride) {
        former = {former.dim * axis.dim, axis.a_stride, axis.b_stride};
        return;
      }
    }
    axes_[rank_++] = axis;
  }

  int32_t rank_ = 0;
  std::array<Axis, GT_MAX_RANK> axes_{};
};

}  // namespace gatun::kernels
