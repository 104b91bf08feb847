#include "kernels/elementwise.h"

#include "kernels/broadcast.h"
#include "kernels/elementwise_naive.h"
#include "kernels/elementwise_simd.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

namespace gatun::kernels {

namespace {

// y = f(x) on bf16: f(to, from, count) works on f32.
template <typename F>
void map_bf16(Bf16* y, const Bf16* x, int64_t count, F f) {
  float values[kWidenBlock];
  for (int64_t i = 0; i < count; i += kWidenBlock) {
    const int64_t n = std::min(kWidenBlock, count - i);
    widen(values, x + i, n);
    f(values, values, n);
    narrow(y + i, values, n);
  }
}

void binary_bf16(Binary op, Bf16* y, const Bf16* a, const Bf16* b, const RowBlock& block) {
  float result[kWidenBlock], left[kWidenBlock], right[kWidenBlock];
  RowBlock row{
      .rows = 1, .columns = 0, .a_is_dense = block.a_is_dense, .b_is_dense = block.b_is_dense};
  for (int64_t r = 0; r < block.rows; ++r) {
    const Bf16 *a_row = a + r * block.a_row_stride, *b_row = b + r * block.b_row_stride;
    for (int64_t c = 0; c < block.columns; c += kWidenBlock) {
      row.columns = std::min(kWidenBlock, block.columns - c);
      widen(left, block.a_is_dense ? a_row + c : a_row, block.a_is_dense ? row.columns : 1);
      widen(right, block.b_is_dense ? b_row + c : b_row, block.b_is_dense ? row.columns : 1);
      binary_f32(op, result, left, right, row);
      narrow(y + r * block.columns + c, result, row.columns);
    }
  }
}

}  // namespace

void unary(Launcher& launcher, const Tensor& y, const Tensor& x, Unary op) {
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F32) {
      unary_f32(op, y.as<float>() + begin, x.as<float>() + begin, end - begin);
    } else if (y.dtype == DType::BF16) {
      map_bf16(y.as<Bf16>() + begin, x.as<Bf16>() + begin, end - begin,
               [op](float* to, const float* from, int64_t n) { unary_f32(op, to, from, n); });
    } else {
      naive::unary<double>(y, x, op, begin, end);
    }
  });
}

bool broadcasts(const Tensor& operand, const Tensor& y) {
  if (operand.rank > y.rank) return false;
  for (int32_t k = 1; k <= operand.rank; ++k) {
    const int64_t dim = operand.dims[operand.rank - k];
    if (dim != 1 && dim != y.dims[y.rank - k]) return false;
  }
  return true;
}

void binary(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b, Binary op) {
  const Broadcast shape(y, a, b);
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F32) {
      shape.for_blocks(
          begin, end, [&](int64_t in_y, int64_t in_a, int64_t in_b, const RowBlock& block) {
            binary_f32(op, y.as<float>() + in_y, a.as<float>() + in_a, b.as<float>() + in_b, block);
          });
    } else if (y.dtype == DType::BF16) {
      shape.for_blocks(
          begin, end, [&](int64_t in_y, int64_t in_a, int64_t in_b, const RowBlock& block) {
            binary_bf16(op, y.as<Bf16>() + in_y, a.as<Bf16>() + in_a, b.as<Bf16>() + in_b, block);
          });
    } else {
      naive::binary<double>(y, a, b, op, begin, end);
    }
  });
}

void affine(Launcher& launcher, const Tensor& y, const Tensor& x, double scale, double shift) {
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F32) {
      affine_f32(y.as<float>() + begin, x.as<float>() + begin, end - begin,
                 static_cast<float>(scale), static_cast<float>(shift));
    } else if (y.dtype == DType::BF16) {
      map_bf16(y.as<Bf16>() + begin, x.as<Bf16>() + begin, end - begin,
               [scale, shift](float* to, const float* from, int64_t n) {
                 affine_f32(to, from, n, static_cast<float>(scale), static_cast<float>(shift));
               });
    } else {
      naive::affine<double>(y, x, scale, shift, begin, end);
    }
  });
}

}  // namespace gatun::kernels
