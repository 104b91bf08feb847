#include "kernels/adaptive.h"

#include <cmath>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

gt_status gt_adaptive_step(gt_stream stream, gt_tensor new_parameter, gt_tensor new_m,
                           gt_tensor new_v, gt_tensor new_greatest, gt_tensor parameter,
                           gt_tensor m, gt_tensor v, gt_tensor greatest, gt_tensor gradient,
                           gt_tensor learning_rate, gt_tensor step, int32_t rule, double beta1,
                           double beta2, double epsilon, double weight_decay, int32_t decoupled) {
  constexpr auto op = "adaptive_step";
  return instruction(
      op, stream, {new_parameter, new_m, new_v, new_greatest},
      {parameter, m, v, greatest, gradient, learning_rate, step}, [&](Launcher& launcher) {
        const Named to{"new_parameter", tensor(op, "new_parameter", new_parameter)};
        const Named from{"parameter", tensor(op, "parameter", parameter)};
        const Named to_m{"new_m", nullable(new_m)}, from_m{"m", nullable(m)};
        const Named to_v{"new_v", nullable(new_v)}, from_v{"v", nullable(v)};
        const Named to_w{"new_greatest", nullable(new_greatest)},
            from_w{"greatest", nullable(greatest)};
        const Named slope{"gradient", tensor(op, "gradient", gradient)};
        const Named rate{"learning_rate", tensor(op, "learning_rate", learning_rate)};
        const Named number{"step", tensor(op, "step", step)};

        check_real(op, {from, to, to_m, to_v, to_w, from_m, from_v, from_w, slope, rate});
        for (const Named& t : {to, to_m, to_v, to_w, from_m, from_v, from_w, slope}) {
          check_same_shape(op, t.name, t.operand, from.name, from.operand);
        }
        check_shape(op, rate.name, rate.operand, {});
        check_dtype(op, number.name, number.operand, DType::I64);
        check_shape(op, number.name, number.operand, {});
        require(rule >= GT_ADAPTIVE_AMSGRAD && rule <= GT_ADAPTIVE_LION, "[", op,
                "] there is no rule ", rule);
        require(beta1 >= 0 && beta1 < 1, "[", op, "] beta1 must be in [0, 1), but is ", beta1);
        require(beta2 >= 0 && beta2 < 1, "[", op, "] beta2 must be in [0, 1), but is ", beta2);
        require(epsilon > 0 && std::isfinite(epsilon), "[", op,
                "] epsilon must be positive and finite, but is ", epsilon);
        require(std::isfinite(weight_decay), "[", op, "] weight_decay must be finite, but is ",
                weight_decay);
        require(decoupled == 0 || decoupled == 1, "[", op, "] decoupled must be 0 or 1, but is ",
                decoupled);
        const kernels::AdaptiveRule attributes = {static_cast<kernels::AdaptiveKind>(rule),
                                                  beta1,
                                                  beta2,
                                                  epsilon,
                                                  weight_decay,
                                                  decoupled != 0};
        const auto check_kept = [&](const Named& t, bool kept) {
          require((t.operand.tensor != nullptr) == kept, "[", op, "] for rule ", rule, " ", t.name,
                  kept ? " must not be NULL" : " must be NULL");
        };
        for (const Named& t : {to_m, from_m}) check_kept(t, attributes.has_m());
        for (const Named& t : {to_v, from_v}) check_kept(t, attributes.has_v());
        for (const Named& t : {to_w, from_w}) check_kept(t, attributes.has_greatest());

        const std::pair<const Named&, const Named&> pairs[] = {
            {to, from}, {to_m, from_m}, {to_v, from_v}, {to_w, from_w}};
        for (const auto& [out, own] : pairs) {
          for (const auto& [other, in] : pairs) {
            if (&in == &own) {
              check_in_place_or_disjoint(op, out.name, out.operand, in.name, in.operand);
            } else {
              check_no_overlap(op, out.name, out.operand, in.name, in.operand);
            }
          }
          check_disjoint(op, {out}, {slope, rate, number});
        }
        launch::adaptive_step(launcher,
                              {to.operand.tensor, to_m.operand.tensor, to_v.operand.tensor,
                               to_w.operand.tensor, from.operand.tensor, from_m.operand.tensor,
                               from_v.operand.tensor, from_w.operand.tensor, slope.operand.tensor},
                              *rate.operand.tensor, *number.operand.tensor, attributes);
      });
}
