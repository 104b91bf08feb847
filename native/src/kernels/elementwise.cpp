#include "kernels/elementwise.h"

#include "kernels/broadcast.h"
#include "kernels/elementwise_naive.h"
#include "kernels/elementwise_simd.h"
#include "kernels/ranges.h"

namespace gatun::kernels {

void unary(Launcher& launcher, const Tensor& y, const Tensor& x, Unary op) {
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F32) {
      unary_f32(op, y.as<float>() + begin, x.as<float>() + begin, end - begin);
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
    } else {
      naive::affine<double>(y, x, scale, shift, begin, end);
    }
  });
}

}  // namespace gatun::kernels
