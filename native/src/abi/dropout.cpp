#include "kernels/dropout.h"

#include "abi/handles.h"

using namespace gatun;

gt_status gt_dropout(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor step,
                     double drop_probability, int64_t seed, int32_t layer) {
  constexpr auto op = "dropout";
  return instruction(op, stream, {y}, {x, step}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    const Tensor* counter = nullable(step);
    check_floating(op, {{"y", to}, {"x", from}});
    check_same_shape(op, "y", to, "x", from);
    check_dtype(op, "step", counter, DType::I64);
    check_shape(op, "step", counter, {});
    require(drop_probability >= 0 && drop_probability < 1, "[", op,
            "] drop_probability must be at least 0 and less than 1, but is ", drop_probability);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    check_no_overlap(op, "y", to, "step", counter);
    launch::dropout(launcher, to, from, counter, drop_probability, seed, layer);
  });
}
