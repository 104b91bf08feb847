#include "kernels/layer_norm.h"

#include <cmath>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// x [...,C], floating; `rows` [...,1] and `columns` [C], wide.
void check_shapes(const char* op, const Named& x, std::initializer_list<Named> like_x,
                  std::initializer_list<Named> rows, std::initializer_list<Named> columns) {
  const Tensor& from = *x.operand.tensor;
  check_floating(op, {x});
  require(from.rank >= 1, "[", op, "] x must be [...,C], but is ", from);
  const int64_t channels = from.dims[from.rank - 1];
  require(channels >= 1, "[", op, "] x must have at least one value in a row, but is ", from);
  for (const Named& t : like_x) {
    check_floating(op, {x, t});
    check_same_shape(op, t.name, t.operand, x.name, x.operand);
  }
  Tensor row = from;
  if (from.dtype == DType::BF16) row.dtype = DType::F32;
  row.dims[row.rank - 1] = 1;
  for (const Named& t : rows) {
    check_floating(op, {x}, {t});
    require(t.operand.tensor == nullptr || same_shape(*t.operand.tensor, row), "[", op, "] ",
            t.name, " must be ", row, ", but is ",
            t.operand.tensor == nullptr ? row : *t.operand.tensor);
  }
  for (const Named& t : columns) {
    check_floating(op, {x}, {t});
    check_shape(op, t.name, t.operand, {channels});
  }
}

}  // namespace

gt_status gt_layer_norm(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std,
                        gt_tensor x, gt_tensor gamma, gt_tensor beta, double epsilon) {
  constexpr auto op = "layer_norm";
  return instruction(op, stream, {y, mean, inv_std}, {x, gamma, beta}, [&](Launcher& launcher) {
    const Named to{"y", tensor(op, "y", y)};
    const Named center{"mean", nullable(mean)};
    const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
    const Named from{"x", tensor(op, "x", x)};
    const Named scale{"gamma", nullable(gamma)};
    const Named shift{"beta", nullable(beta)};
    check_shapes(op, from, {to}, {center, inverse}, {scale, shift});
    require(epsilon >= 0 && std::isfinite(epsilon), "[", op,
            "] epsilon must be finite and not negative, but is ", epsilon);
    check_disjoint(op, {to}, {scale, shift});
    check_disjoint(op, {center, inverse}, {from, scale, shift});
    check_in_place_or_disjoint(op, to.name, to.operand, from.name, from.operand);
    launch::layer_norm(launcher, *to.operand.tensor, center.operand.tensor, *inverse.operand.tensor,
                       *from.operand.tensor, scale.operand.tensor, shift.operand.tensor, epsilon);
  });
}

gt_status gt_layer_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta,
                                 gt_tensor dy, gt_tensor x, gt_tensor mean, gt_tensor inv_std,
                                 gt_tensor gamma) {
  constexpr auto op = "layer_norm_backward";
  return instruction(
      op, stream, {dx, dgamma, dbeta}, {dy, x, mean, inv_std, gamma}, [&](Launcher& launcher) {
        const Named to{"dx", tensor(op, "dx", dx)};
        const Named to_gamma{"dgamma", nullable(dgamma)};
        const Named to_beta{"dbeta", nullable(dbeta)};
        const Named slope{"dy", tensor(op, "dy", dy)};
        const Named from{"x", tensor(op, "x", x)};
        const Named center{"mean", nullable(mean)};
        const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
        const Named scale{"gamma", nullable(gamma)};
        check_shapes(op, from, {to, slope}, {center, inverse}, {to_gamma, to_beta, scale});
        check_disjoint(op, {to}, {from, center, inverse, scale});
        check_disjoint(op, {to_gamma, to_beta}, {slope, from, center, inverse, scale});
        check_in_place_or_disjoint(op, to.name, to.operand, slope.name, slope.operand);
        launch::layer_norm_backward(launcher, *to.operand.tensor, to_gamma.operand.tensor,
                                    to_beta.operand.tensor, *slope.operand.tensor,
                                    *from.operand.tensor, center.operand.tensor,
                                    *inverse.operand.tensor, scale.operand.tensor);
      });
}
