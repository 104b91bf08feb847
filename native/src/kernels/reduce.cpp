#include "kernels/reduce.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "kernels/movement.h"
#include "kernels/ranges.h"
#include "kernels/reduce_naive.h"
#include "kernels/reduce_simd.h"

namespace gatun::kernels {
namespace {

// Some axes of x, in order, and how far apart their elements are.
struct Walk {
  int32_t rank = 0;
  int64_t count = 1;
  std::array<int64_t, GT_MAX_RANK> dims{};
  std::array<int64_t, GT_MAX_RANK> strides{};

  void push(int64_t dim, int64_t stride) {
    dims[rank] = dim;
    strides[rank++] = stride;
    count *= dim;
  }

  int64_t offset(int64_t i) const {
    int64_t at = 0;
    for (int32_t k = rank - 1; k >= 0; --k) {
      at += i % dims[k] * strides[k];
      i /= dims[k];
    }
    return at;
  }
};

// Any reduction of a dense tensor is: for every index of `kept`, over every index of `reduced`, a
// matrix [rows, columns] whose rows are combined. y is dense over (kept, columns). Either walk is
// empty in the usual cases: reduce all, or the first axes, or the last ones.
//
// The matrices are cut into blocks of about ELEMENTS_PER_TASK elements, or several small ones are
// taken together; a unit is what one result of the first section comes from. With more than one
// unit for a result, a second section combines them. The cut depends on shapes alone, and so do the
// bits.
struct Plan {
  Walk kept, reduced;
  int64_t rows = 1, columns = 1;
  int64_t block_rows = 1, block_columns = 1;
  int64_t row_blocks = 1, column_blocks = 1;
  int64_t blocks = 1;  // along everything that is reduced
  int64_t blocks_per_unit = 1;
  int64_t units = 1;  // for every result

  Plan(const Tensor& x, uint32_t axes) {
    Walk merged;  // neighbours of one kind as one axis, without axes of size 1
    std::array<bool, GT_MAX_RANK> is_reduced{};
    int64_t stride = x.count;
    for (int32_t axis = 0; axis < x.rank; ++axis) {
      const int64_t dim = x.dims[axis];
      const bool reduces = (axes >> axis & 1) != 0;
      stride /= dim;
      if (dim == 1) continue;
      const int32_t last = merged.rank - 1;
      if (last >= 0 && is_reduced[last] == reduces) {
        merged.dims[last] *= dim;
        merged.strides[last] = stride;
      } else {
        is_reduced[merged.rank] = reduces;
        merged.push(dim, stride);
      }
    }
    int32_t outer = merged.rank;
    if (outer > 0 && !is_reduced[outer - 1]) columns = merged.dims[--outer];
    if (outer > 0) rows = merged.dims[--outer];  // of the other kind, so a reduced one
    for (int32_t i = 0; i < outer; ++i) {
      (is_reduced[i] ? reduced : kept).push(merged.dims[i], merged.strides[i]);
    }

    block_columns = std::min(columns, kReduceColumns);
    block_rows = std::min(rows, std::max<int64_t>(64, ELEMENTS_PER_TASK / block_columns));
    row_blocks = (rows + block_rows - 1) / block_rows;
    column_blocks = (columns + block_columns - 1) / block_columns;
    blocks = reduced.count * row_blocks;
    blocks_per_unit = std::max<int64_t>(1, ELEMENTS_PER_TASK / (block_rows * block_columns));
    blocks_per_unit = std::min(blocks_per_unit, blocks);
    units = (blocks + blocks_per_unit - 1) / blocks_per_unit;
  }

  int64_t results() const { return kept.count * columns; }
  int64_t unit_elements() const { return blocks_per_unit * block_rows * block_columns; }
};

// Combines one unit of one block of columns into results[0 .. block columns - 1].
template <typename T>
void reduce_unit(const Plan& plan, Reduction op, double* results, const T* x, int64_t column,
                 int64_t columns, int64_t unit) {
  std::fill_n(results, columns, naive::start_of(op));
  const int64_t begin = unit * plan.blocks_per_unit;
  const int64_t end = std::min(plan.blocks, begin + plan.blocks_per_unit);
  for (int64_t block = begin; block < end; ++block) {
    const int64_t row = block % plan.row_blocks * plan.block_rows;
    const int64_t rows = std::min(plan.block_rows, plan.rows - row);
    const T* from = x + plan.reduced.offset(block / plan.row_blocks) + row * plan.columns + column;
    if constexpr (std::is_same_v<T, float>) {
      reduce_block_f32(op, results, from, rows, columns, plan.columns);
    } else {
      naive::reduce_block(op, results, from, rows, columns, plan.columns);
    }
  }
}

template <typename T>
void reduce_real(Launcher& launcher, const Tensor& y, const Tensor& x, Reduction op,
                 const Plan& plan) {
  const double divisor =
      op == Reduction::MEAN ? static_cast<double>(x.count) / static_cast<double>(y.count) : 1.0;
  const bool one_pass = plan.units == 1;
  const Scratch<double> partial =
      one_pass ? Scratch<double>{} : launcher.scratch<double>(plan.units * plan.results());

  const int64_t count = plan.kept.count * plan.units * plan.column_blocks;
  const auto unit = [=](const Context& context, int64_t i) {
    const int64_t column = i % plan.column_blocks * plan.block_columns;
    const int64_t columns = std::min(plan.block_columns, plan.columns - column);
    const int64_t number = i / plan.column_blocks % plan.units;
    const int64_t kept = i / plan.column_blocks / plan.units;
    const T* from = x.as<T>() + plan.kept.offset(kept);
    if (one_pass) {
      double results[kReduceColumns];
      reduce_unit(plan, op, results, from, column, columns, number);
      T* to = y.as<T>() + kept * plan.columns + column;
      for (int64_t c = 0; c < columns; ++c) to[c] = static_cast<T>(results[c] / divisor);
    } else {
      double* results = context.at(partial) + (kept * plan.units + number) * plan.columns + column;
      reduce_unit(plan, op, results, from, column, columns, number);
    }
  };
  const int64_t grain = std::max<int64_t>(1, ELEMENTS_PER_TASK / plan.unit_elements());
  launcher.parallel((count + grain - 1) / grain, [=](const Context& context, int64_t task) {
    const int64_t end = std::min(count, (task + 1) * grain);
    for (int64_t i = task * grain; i < end; ++i) unit(context, i);
  });
  if (one_pass) return;

  const int64_t results = plan.results();
  const int64_t results_per_task = std::max<int64_t>(1, ELEMENTS_PER_TASK / plan.units);
  launcher.parallel((results + results_per_task - 1) / results_per_task, [=](const Context& context,
                                                                             int64_t task) {
    const int64_t end = std::min(results, (task + 1) * results_per_task);
    for (int64_t i = task * results_per_task; i < end; ++i) {
      const double* from =
          context.at(partial) + i / plan.columns * plan.units * plan.columns + i % plan.columns;
      double result = naive::start_of(op);
      for (int64_t u = 0; u < plan.units; ++u) {
        result = naive::combine(op, result, from[u * plan.columns]);
      }
      y.as<T>()[i] = static_cast<T>(result / divisor);
    }
  });
}

}  // namespace

void reduce(Launcher& launcher, const Tensor& y, const Tensor& x, Reduction op, uint32_t axes) {
  if (y.count == 0) return;
  if (x.count == 0) {  // a sum or a mean of nothing
    const double nothing = op == Reduction::MEAN ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    return fill(launcher, y, nothing);
  }
  const Plan plan(x, axes);
  if (y.dtype == DType::F32) {
    reduce_real<float>(launcher, y, x, op, plan);
  } else {
    reduce_real<double>(launcher, y, x, op, plan);
  }
}

void argmax(Launcher& launcher, const Tensor& y, const Tensor& x) {
  if (y.count == 0) return;
  const int64_t length = x.count / y.count;
  parallel_rows(launcher, y.count, length, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      y.as<int32_t>()[row] = x.dtype == DType::F32
                                 ? naive::argmax(x.as<float>() + row * length, length)
                                 : naive::argmax(x.as<double>() + row * length, length);
    }
  });
}

}  // namespace gatun::kernels
