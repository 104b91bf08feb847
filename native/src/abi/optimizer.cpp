#include "kernels/optimizer.h"

#include <cmath>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

gt_status gt_norm(gt_stream stream, gt_tensor norm, gt_tensor x) {
  constexpr auto op = "norm";
  return instruction(op, stream, {norm}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "norm", norm);
    const Tensor& from = tensor(op, "x", x);
    check_real(op, {{"norm", to}, {"x", from}});
    check_shape(op, "norm", to, {});
    check_no_overlap(op, "norm", to, "x", from);
    launch::norm(launcher, to, from);
  });
}

gt_status gt_clip_by_norm(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor norm,
                          double max_norm) {
  constexpr auto op = "clip_by_norm";
  return instruction(op, stream, {y}, {x, norm}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    const Tensor& length = tensor(op, "norm", norm);
    check_real(op, {{"y", to}, {"x", from}, {"norm", length}});
    check_same_shape(op, "y", to, "x", from);
    check_shape(op, "norm", length, {});
    require(max_norm > 0 && std::isfinite(max_norm), "[", op,
            "] max_norm must be positive and finite, but is ", max_norm);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    check_no_overlap(op, "y", to, "norm", length);
    launch::clip_by_norm(launcher, to, from, length, max_norm);
  });
}

gt_status gt_clip_rows(gt_stream stream, gt_tensor y, gt_tensor x, gt_tensor reference,
                       double ratio, double floor) {
  constexpr auto op = "clip_rows";
  return instruction(op, stream, {y}, {x, reference}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    const Tensor* like = nullable(reference);
    check_real(op, {{"y", to}, {"x", from}, {"reference", like}});
    check_rank(op, "x", from, 2);
    check_same_shape(op, "y", to, "x", from);
    check_same_shape(op, "reference", like, "x", from);
    require(ratio > 0 && std::isfinite(ratio), "[", op,
            "] ratio must be positive and finite, but is ", ratio);
    require(floor >= 0 && std::isfinite(floor), "[", op,
            "] floor must be finite and not negative, but is ", floor);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    check_no_overlap(op, "y", to, "reference", like);
    launch::clip_rows(launcher, to, from, like, ratio, floor);
  });
}

gt_status gt_lerp(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, gt_tensor weight) {
  constexpr auto op = "lerp";
  return instruction(op, stream, {y}, {a, b, weight}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "a", a);
    const Tensor& toward = tensor(op, "b", b);
    const Tensor& by = tensor(op, "weight", weight);
    check_real(op, {{"y", to}, {"a", from}, {"b", toward}, {"weight", by}});
    check_same_shape(op, "y", to, "a", from);
    check_same_shape(op, "b", toward, "a", from);
    check_shape(op, "weight", by, {});
    check_in_place_or_disjoint(op, "y", to, "a", from);
    check_no_overlap(op, "y", to, "b", toward);
    check_no_overlap(op, "y", to, "weight", by);
    launch::lerp(launcher, to, from, toward, by);
  });
}

gt_status gt_sgd_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_velocity,
                      gt_tensor parameter, gt_tensor velocity, gt_tensor gradient,
                      gt_tensor learning_rate, double momentum, double dampening,
                      double weight_decay, int32_t nesterov, int32_t rate_in_velocity) {
  constexpr auto op = "sgd_step";
  return instruction(
      op, stream, {new_parameter, new_velocity}, {parameter, velocity, gradient, learning_rate},
      [&](Launcher& launcher) {
        const Named to{"new_parameter", tensor(op, "new_parameter", new_parameter)};
        const Named to_velocity{"new_velocity", nullable(new_velocity)};
        const Named from{"parameter", tensor(op, "parameter", parameter)};
        const Named from_velocity{"velocity", nullable(velocity)};
        const Named slope{"gradient", tensor(op, "gradient", gradient)};
        const Named rate{"learning_rate", tensor(op, "learning_rate", learning_rate)};

        check_real(op, {from, to, to_velocity, from_velocity, slope, rate});
        for (const Named& t : {to, to_velocity, from_velocity, slope}) {
          check_same_shape(op, t.name, t.operand, from.name, from.operand);
        }
        check_shape(op, rate.name, rate.operand, {});
        require(momentum >= 0 && std::isfinite(momentum), "[", op,
                "] momentum must be finite and not negative, but is ", momentum);
        require(std::isfinite(dampening), "[", op, "] dampening must be finite, but is ",
                dampening);
        require(std::isfinite(weight_decay), "[", op, "] weight_decay must be finite, but is ",
                weight_decay);
        require(nesterov == 0 || nesterov == 1, "[", op, "] nesterov must be 0 or 1, but is ",
                nesterov);
        require(rate_in_velocity == 0 || rate_in_velocity == 1, "[", op,
                "] rate_in_velocity must be 0 or 1, but is ", rate_in_velocity);
        const bool with_momentum = momentum > 0;
        for (const Named& t : {to_velocity, from_velocity}) {
          require((t.operand.tensor != nullptr) == with_momentum, "[", op, "] momentum is ",
                  momentum, ", so ", t.name, with_momentum ? " must not be NULL" : " must be NULL");
        }
        require(with_momentum || nesterov == 0, "[", op, "] nesterov needs momentum, which is 0");

        check_disjoint(op, {to}, {from_velocity, slope, rate});
        check_disjoint(op, {to_velocity}, {from, slope, rate});
        check_in_place_or_disjoint(op, to.name, to.operand, from.name, from.operand);
        check_in_place_or_disjoint(op, to_velocity.name, to_velocity.operand, from_velocity.name,
                                   from_velocity.operand);

        launch::sgd_step(launcher, *to.operand.tensor, to_velocity.operand.tensor,
                         *from.operand.tensor, from_velocity.operand.tensor, *slope.operand.tensor,
                         *rate.operand.tensor,
                         {momentum, dampening, weight_decay, nesterov != 0, rate_in_velocity != 0});
      });
}

gt_status gt_adam_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_m, gt_tensor new_v,
                       gt_tensor parameter, gt_tensor m, gt_tensor v, gt_tensor gradient,
                       gt_tensor learning_rate, gt_tensor step, double beta1, double beta2,
                       double epsilon, double weight_decay, int32_t decoupled) {
  constexpr auto op = "adam_step";
  return instruction(
      op, stream, {new_parameter, new_m, new_v}, {parameter, m, v, gradient, learning_rate, step},
      [&](Launcher& launcher) {
        const Named to{"new_parameter", tensor(op, "new_parameter", new_parameter)};
        const Named to_m{"new_m", tensor(op, "new_m", new_m)};
        const Named to_v{"new_v", tensor(op, "new_v", new_v)};
        const Named from{"parameter", tensor(op, "parameter", parameter)};
        const Named from_m{"m", tensor(op, "m", m)};
        const Named from_v{"v", tensor(op, "v", v)};
        const Named slope{"gradient", tensor(op, "gradient", gradient)};
        const Named rate{"learning_rate", tensor(op, "learning_rate", learning_rate)};
        const Named number{"step", tensor(op, "step", step)};

        check_real(op, {from, to, to_m, to_v, from_m, from_v, slope, rate});
        for (const Named& t : {to, to_m, to_v, from_m, from_v, slope}) {
          check_same_shape(op, t.name, t.operand, from.name, from.operand);
        }
        check_shape(op, rate.name, rate.operand, {});
        check_dtype(op, number.name, number.operand, DType::I64);
        check_shape(op, number.name, number.operand, {});
        require(beta1 >= 0 && beta1 < 1, "[", op, "] beta1 must be in [0, 1), but is ", beta1);
        require(beta2 >= 0 && beta2 < 1, "[", op, "] beta2 must be in [0, 1), but is ", beta2);
        require(epsilon > 0 && std::isfinite(epsilon), "[", op,
                "] epsilon must be positive and finite, but is ", epsilon);
        require(std::isfinite(weight_decay), "[", op, "] weight_decay must be finite, but is ",
                weight_decay);
        require(decoupled == 0 || decoupled == 1, "[", op, "] decoupled must be 0 or 1, but is ",
                decoupled);

        check_disjoint(op, {to}, {from_m, from_v, slope, rate, number});
        check_disjoint(op, {to_m}, {from, from_v, slope, rate, number});
        check_disjoint(op, {to_v}, {from, from_m, slope, rate, number});
        check_in_place_or_disjoint(op, to.name, to.operand, from.name, from.operand);
        check_in_place_or_disjoint(op, to_m.name, to_m.operand, from_m.name, from_m.operand);
        check_in_place_or_disjoint(op, to_v.name, to_v.operand, from_v.name, from_v.operand);

        launch::adam_step(launcher, *to.operand.tensor, *to_m.operand.tensor, *to_v.operand.tensor,
                          *from.operand.tensor, *from_m.operand.tensor, *from_v.operand.tensor,
                          *slope.operand.tensor, *rate.operand.tensor, *number.operand.tensor,
                          {beta1, beta2, epsilon, weight_decay, decoupled != 0});
      });
}
