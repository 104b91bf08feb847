#include "kernels/batch_norm.h"

#include <cmath>

#include "abi/activation.h"
#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// Values per channel.
int64_t count_per_channel(const Tensor& x) {
  int64_t m = 1;
  for (int32_t i = 0; i + 1 < x.rank; ++i) m *= x.dims[i];
  return m;
}

// x, and what has its shape, are [...,C]; the others are [C] and wide.
void check_shapes(const char* op, const Tensor& x, std::initializer_list<Named> like_x,
                  std::initializer_list<Named> per_channel) {
  check_floating(op, {{"x", x}});
  require(x.rank >= 1, "[", op, "] x must be [...,C], but is ", x);
  for (const Named& t : like_x) {
    check_floating(op, {{"x", x}, t});
    check_same_shape(op, t.name, t.operand, "x", x);
  }
  for (const Named& t : per_channel) {
    check_floating(op, {{"x", x}}, {t});
    check_shape(op, t.name, t.operand, {x.dims[x.rank - 1]});
  }
}

// Two values per channel of x, if given.
void check_pairs(const char* op, const Tensor& x, const Named& pairs) {
  if (pairs.operand.tensor == nullptr) return;
  check_real(op, {{"x", x}, pairs});
  check_shape(op, pairs.name, pairs.operand, {2, x.dims[x.rank - 1]});
}

void check_epsilon(const char* op, double epsilon) {
  require(epsilon >= 0 && std::isfinite(epsilon), "[", op,
          "] epsilon must be finite and not negative, but is ", epsilon);
}

}  // namespace

gt_status gt_batch_norm_training(gt_stream stream, gt_tensor y, gt_tensor mean, gt_tensor inv_std,
                                 gt_tensor new_running_mean, gt_tensor new_running_variance,
                                 gt_tensor x, gt_tensor gamma, gt_tensor beta, gt_tensor residual,
                                 gt_tensor moments, gt_tensor running_mean,
                                 gt_tensor running_variance, double momentum, double epsilon,
                                 int32_t activation) {
  constexpr auto op = "batch_norm_training";
  return instruction(
      op, stream, {y, mean, inv_std, new_running_mean, new_running_variance},
      {x, gamma, beta, residual, moments, running_mean, running_variance}, [&](Launcher& launcher) {
        const Named to{"y", tensor(op, "y", y)};
        const Named center{"mean", tensor(op, "mean", mean)};
        const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
        const Named new_mean{"new_running_mean", tensor(op, "new_running_mean", new_running_mean)};
        const Named new_variance{"new_running_variance",
                                 tensor(op, "new_running_variance", new_running_variance)};
        const Named from{"x", tensor(op, "x", x)};
        const Named slope{"gamma", tensor(op, "gamma", gamma)};
        const Named offset{"beta", tensor(op, "beta", beta)};
        const Named added{"residual", nullable(residual)};
        const Named known{"moments", nullable(moments)};
        const Named old_mean{"running_mean", tensor(op, "running_mean", running_mean)};
        const Named old_variance{"running_variance",
                                 tensor(op, "running_variance", running_variance)};
        const Tensor& input = *from.operand.tensor;

        check_shapes(
            op, input, {to, added},
            {center, inverse, new_mean, new_variance, slope, offset, old_mean, old_variance});
        check_pairs(op, input, known);
        require(count_per_channel(input) >= 2, "[", op,
                "] needs at least 2 values per channel for a variance, but x is ", input);
        require(momentum >= 0 && momentum <= 1, "[", op, "] momentum must be in 0..1, but is ",
                momentum);
        check_epsilon(op, epsilon);
        const Activation act = check_activation(op, activation);
        check_disjoint(op, {to, center, inverse, new_mean, new_variance},
                       {from, slope, offset, added, known});
        check_disjoint(op, {to, center, inverse}, {old_mean, old_variance});
        check_disjoint(op, {new_mean}, {old_variance});
        check_disjoint(op, {new_variance}, {old_mean});
        check_in_place_or_disjoint(op, new_mean.name, new_mean.operand, old_mean.name,
                                   old_mean.operand);
        check_in_place_or_disjoint(op, new_variance.name, new_variance.operand, old_variance.name,
                                   old_variance.operand);

        launch::batch_norm_training(
            launcher, *to.operand.tensor, *center.operand.tensor, *inverse.operand.tensor,
            *new_mean.operand.tensor, *new_variance.operand.tensor, input, *slope.operand.tensor,
            *offset.operand.tensor, added.operand.tensor, known.operand.tensor,
            *old_mean.operand.tensor, *old_variance.operand.tensor, momentum, epsilon, act);
      });
}

gt_status gt_batch_norm_backward(gt_stream stream, gt_tensor dx, gt_tensor dgamma, gt_tensor dbeta,
                                 gt_tensor dresidual, gt_tensor dy, gt_tensor x, gt_tensor y,
                                 gt_tensor mean, gt_tensor inv_std, gt_tensor gamma, gt_tensor sums,
                                 int32_t activation) {
  constexpr auto op = "batch_norm_backward";
  return instruction(
      op, stream, {dx, dgamma, dbeta, dresidual}, {dy, x, y, mean, inv_std, gamma, sums},
      [&](Launcher& launcher) {
        const Named to{"dx", tensor(op, "dx", dx)};
        const Named to_gamma{"dgamma", tensor(op, "dgamma", dgamma)};
        const Named to_beta{"dbeta", tensor(op, "dbeta", dbeta)};
        const Named to_residual{"dresidual", nullable(dresidual)};
        const Named gradient{"dy", tensor(op, "dy", dy)};
        const Named input{"x", tensor(op, "x", x)};
        const Named output{"y", nullable(y)};
        const Named center{"mean", tensor(op, "mean", mean)};
        const Named inverse{"inv_std", tensor(op, "inv_std", inv_std)};
        const Named slope{"gamma", tensor(op, "gamma", gamma)};
        const Named known{"sums", nullable(sums)};

        check_shapes(op, *input.operand.tensor, {to, to_residual, gradient, output},
                     {to_gamma, to_beta, center, inverse, slope});
        check_pairs(op, *input.operand.tensor, known);
        const Activation act = check_activation(op, activation);
        require(act == Activation::NONE || output.operand.tensor != nullptr, "[", op,
                "] y is NULL, but the gradient of the activation needs it");
        check_disjoint(op, {to, to_residual, to_gamma, to_beta},
                       {input, output, center, inverse, slope, known});
        check_disjoint(op, {to_gamma, to_beta}, {gradient});
        check_in_place_or_disjoint(op, to.name, to.operand, gradient.name, gradient.operand);
        check_in_place_or_disjoint(op, to_residual.name, to_residual.operand, gradient.name,
                                   gradient.operand);

        launch::batch_norm_backward(
            launcher, *to.operand.tensor, *to_gamma.operand.tensor, *to_beta.operand.tensor,
            to_residual.operand.tensor, *gradient.operand.tensor, *input.operand.tensor,
            output.operand.tensor, *center.operand.tensor, *inverse.operand.tensor,
            *slope.operand.tensor, known.operand.tensor, act);
      });
}

gt_status gt_batch_norm_inference(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor gamma,
                                  gt_tensor beta, gt_tensor residual, gt_tensor running_mean,
                                  gt_tensor running_variance, double epsilon, int32_t activation) {
  constexpr auto op = "batch_norm_inference";
  return instruction(
      op, stream, {y}, {x, gamma, beta, residual, running_mean, running_variance},
      [&](Launcher& launcher) {
        const Named to{"y", tensor(op, "y", y)};
        const Named from{"x", tensor(op, "x", x)};
        const Named slope{"gamma", tensor(op, "gamma", gamma)};
        const Named offset{"beta", tensor(op, "beta", beta)};
        const Named added{"residual", nullable(residual)};
        const Named center{"running_mean", tensor(op, "running_mean", running_mean)};
        const Named variance{"running_variance", tensor(op, "running_variance", running_variance)};

        check_shapes(op, *from.operand.tensor, {to, added}, {slope, offset, center, variance});
        check_epsilon(op, epsilon);
        const Activation act = check_activation(op, activation);
        check_disjoint(op, {to}, {slope, offset, center, variance});
        check_in_place_or_disjoint(op, to.name, to.operand, from.name, from.operand);
        check_in_place_or_disjoint(op, to.name, to.operand, added.name, added.operand);

        launch::batch_norm_inference(launcher, *to.operand.tensor, *from.operand.tensor,
                                     *slope.operand.tensor, *offset.operand.tensor,
                                     added.operand.tensor, *center.operand.tensor,
                                     *variance.operand.tensor, epsilon, act);
      });
}
