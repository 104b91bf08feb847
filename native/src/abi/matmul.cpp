#include "kernels/matmul.h"

#include "abi/activation.h"
#include "abi/handles.h"

using namespace gatun;

gt_status gt_matmul(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, gt_tensor bias,
                    int32_t transpose_a, int32_t transpose_b, int32_t activation) {
  return instruction("matmul", stream, {y}, {a, b, bias}, [&](Launcher& launcher) {
    const char* op = "matmul";
    const Tensor &ty = tensor(op, "y", y), &ta = tensor(op, "a", a), &tb = tensor(op, "b", b);
    const Tensor* tbias = nullable(bias);
    check_floating(op, {{"y", ty}, {"a", ta}, {"b", tb}, {"bias", tbias}});
    check_rank(op, "a", ta, 2);
    check_rank(op, "b", tb, 2);
    const kernels::MatmulLayout layout{transpose_a != 0, transpose_b != 0};
    const int64_t m = ta.dims[layout.transpose_a ? 1 : 0];
    const int64_t k = ta.dims[layout.transpose_a ? 0 : 1];
    const int64_t b_rows = tb.dims[layout.transpose_b ? 1 : 0];
    const int64_t n = tb.dims[layout.transpose_b ? 0 : 1];
    require(b_rows == k, "[", op, "] inner sizes differ: ", layout.transpose_a ? "a^T" : "a",
            " has ", k, " columns, ", layout.transpose_b ? "b^T" : "b", " has ", b_rows,
            " rows (a is ", ta, ", b is ", tb, ")");
    check_shape(op, "y", ty, {m, n});
    check_shape(op, "bias", tbias, {n});
    check_no_overlap(op, "y", ty, "a", ta);
    check_no_overlap(op, "y", ty, "b", tb);
    check_no_overlap(op, "y", ty, "bias", tbias);
    launch::matmul(launcher, ty, ta, tb, tbias, layout, check_activation(op, activation));
  });
}
