#include "kernels/reduce.h"

#include <limits>

#include "abi/handles.h"

using namespace gatun;

gt_status gt_reduce(gt_stream stream, gt_tensor y, gt_tensor x, int32_t code, uint32_t axes) {
  constexpr auto op = "reduce";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    require(code >= GT_REDUCE_SUM && code <= GT_REDUCE_MAX, "[", op, "] op must be ", GT_REDUCE_SUM,
            "..", GT_REDUCE_MAX, ", but is ", code);
    check_real(op, {{"y", to}, {"x", from}});
    require(axes >> from.rank == 0, "[", op, "] axes must have bits of x's ", from.rank,
            " axes only, but is ", axes);
    Tensor expected = from;
    bool nothing_to_reduce = false;
    for (int32_t i = 0; i < from.rank; ++i) {
      if ((axes >> i & 1) == 0) continue;
      expected.dims[i] = 1;
      nothing_to_reduce |= from.dims[i] == 0;
    }
    require(same_shape(to, expected), "[", op, "] y must be ", expected, ", but is ", to);
    require(code != GT_REDUCE_MAX || !nothing_to_reduce, "[", op,
            "] there is no maximum along an empty axis: x is ", from);
    check_no_overlap(op, "y", to, "x", from);
    launch::reduce(launcher, to, from, static_cast<kernels::Reduction>(code), axes);
  });
}

gt_status gt_argmax(gt_stream stream, gt_tensor y, gt_tensor x) {
  constexpr auto op = "argmax";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_dtype(op, "y", to, DType::I32);
    check_real(op, {{"x", from}});
    require(from.rank >= 1, "[", op, "] x must have at least one axis, but is ", from);
    Tensor expected = from;
    const int64_t length = from.dims[from.rank - 1];
    expected.dims[from.rank - 1] = 1;
    expected.dtype = DType::I32;
    require(length > 0 && length <= std::numeric_limits<int32_t>::max(), "[", op,
            "] the last axis of x must have 1..2147483647 elements, but x is ", from);
    require(same_shape(to, expected), "[", op, "] y must be ", expected, ", but is ", to);
    check_no_overlap(op, "y", to, "x", from);
    launch::argmax(launcher, to, from);
  });
}
