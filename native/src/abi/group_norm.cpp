#include "kernels/group_norm.h"

#include <cmath>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// x [N,...,C], floating; `groups_of` [N,groups] and `channels` [C], wide.
void check_shapes(const char* op, const Named& x, std::initializer_list<Named> like_x,
                  std::initializer_list<Named> groups_of, std::initializer_list<Named> channels,
                  int32_t groups) {
  const Tensor& from = *x.operand.tensor;
  check_floating(op, {x});
  require(from.rank >= 2, "[", op, "] x must be [N,...,C], but is ", from);
  const int64_t pictures = from.dims[0], columns = from.dims[from.rank - 1];
  require(groups >= 1 && columns >= 1 && columns % groups == 0, "[", op,
          "] groups must divide the channels of x, but are ", groups, " of ", from);
  require(pictures == 0 || from.count > 0, "[", op, "] a group must have a value, but x is ", from);
  for (const Named& t : like_x) {
    check_floating(op, {x, t});
    check_same_shape(op, t.name, t.operand, x.name, x.operand);
  }
  for (const Named& t : groups_of) {
    check_floating(op, {x}, {t});
    check_shape(op, t.name, t.operand, {pictures, groups});
  }
  for (const Named& t : channels) {
    check_floating(op, {x}, {t});
    check_shape(op, t.name, t.operand, {columns});
  }
}

}  // namespace

gt_status gt_group_norm(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std,
                        gt_tensor x, gt_tensor gamma, gt_tensor beta, int32_t groups,
                        double epsilon) {
  constexpr auto op = "group_norm";
  return instruction(op, stream, {y, mean, inv_std}, {x, gamma, beta}, [&](Launcher& launcher) {
    const Named to{"y", tensor(op, "y", y)};
    const Named center{"mean", tensor(op, "mean", mean)};
    const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
    const Named from{"x", tensor(op, "x", x)};
    const Named scale{"gamma", tensor(op, "gamma", gamma)};
    const Named shift{"beta", tensor(op, "beta", beta)};
    check_shapes(op, from, {to}, {center, inverse}, {scale, shift}, groups);
    require(epsilon >= 0 && std::isfinite(epsilon), "[", op,
            "] epsilon must be finite and not negative, but is ", epsilon);
    check_disjoint(op, {to}, {scale, shift});
    check_disjoint(op, {center, inverse}, {from, scale, shift});
    check_in_place_or_disjoint(op, to.name, to.operand, from.name, from.operand);
    launch::group_norm(launcher, *to.operand.tensor, *center.operand.tensor,
                       *inverse.operand.tensor, *from.operand.tensor, *scale.operand.tensor,
                       *shift.operand.tensor, groups, epsilon);
  });
}

gt_status gt_group_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta,
                                 gt_tensor dy, gt_tensor x, gt_tensor mean, gt_tensor inv_std,
                                 gt_tensor gamma, int32_t groups) {
  constexpr auto op = "group_norm_backward";
  return instruction(
      op, stream, {dx, dgamma, dbeta}, {dy, x, mean, inv_std, gamma}, [&](Launcher& launcher) {
        const Named to{"dx", tensor(op, "dx", dx)};
        const Named to_gamma{"dgamma", tensor(op, "dgamma", dgamma)};
        const Named to_beta{"dbeta", tensor(op, "dbeta", dbeta)};
        const Named slope{"dy", tensor(op, "dy", dy)};
        const Named from{"x", tensor(op, "x", x)};
        const Named center{"mean", tensor(op, "mean", mean)};
        const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
        const Named scale{"gamma", tensor(op, "gamma", gamma)};
        check_shapes(op, from, {to, slope}, {center, inverse}, {to_gamma, to_beta, scale}, groups);
        check_disjoint(op, {to}, {from, center, inverse, scale});
        check_disjoint(op, {to_gamma, to_beta}, {slope, from, center, inverse, scale});
        check_in_place_or_disjoint(op, to.name, to.operand, slope.name, slope.operand);
        launch::group_norm_backward(launcher, *to.operand.tensor, *to_gamma.operand.tensor,
                                    *to_beta.operand.tensor, *slope.operand.tensor,
                                    *from.operand.tensor, *center.operand.tensor,
                                    *inverse.operand.tensor, *scale.operand.tensor, groups);
      });
}
