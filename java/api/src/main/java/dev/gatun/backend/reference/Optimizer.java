package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// The gradient's norm, clipping, and the step of SGD.
final class Optimizer {
  private Optimizer() {}

  static Instruction norm(View normView, View xView) {
    Operands operands = new Operands("norm");
    Operand norm = operands.output("norm", normView);
    Operand x = operands.input("x", xView);
    operands.requireReal(norm, x);
    norm.requireShape();
    return operands.instruction(() -> norm(norm.reals(), x.reals(), x.count()));
  }

  private static void norm(Reals norm, Reals x, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += x.get(i) * x.get(i);
    }
    norm.set(0, Math.sqrt(sum));
  }

  static Instruction clipByNorm(View yView, View xView, View normView, double maxNorm) {
    Operands operands = new Operands("clip_by_norm");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    Operand norm = operands.input("norm", normView);
    operands.requireReal(y, x, norm);
    y.requireSameShape(x);
    norm.requireShape();
    operands.require(
        maxNorm > 0, () -> "max_norm must be greater than 0, but is %s".formatted(maxNorm));
    operands.allowInPlace(y, x);
    return operands.instruction(
        () -> clipByNorm(y.reals(), x.reals(), norm.reals(), maxNorm, x.count()));
  }

  private static void clipByNorm(Reals y, Reals x, Reals norm, double maxNorm, int count) {
    double scale = Double.isFinite(norm.get(0)) ? Math.min(1, maxNorm / norm.get(0)) : 1;
    for (int i = 0; i < count; i++) {
      y.set(i, x.get(i) * scale);
    }
  }

  static Instruction sgdStep(
      View newParameterView,
      @Nullable View newVelocityView,
      View parameterView,
      @Nullable View velocityView,
      View gradientView,
      View learningRateView,
      Sgd sgd) {
    Operands operands = new Operands("sgd_step");
    Operand newParameter = operands.output("new_parameter", newParameterView);
    Operand newVelocity = operands.optionalOutput("new_velocity", newVelocityView);
    Operand parameter = operands.input("parameter", parameterView);
    Operand velocity = operands.optionalInput("velocity", velocityView);
    Operand gradient = operands.input("gradient", gradientView);
    Operand learningRate = operands.input("learning_rate", learningRateView);
    operands.requireReal(newParameter, newVelocity, parameter, velocity, gradient, learningRate);
    newParameter.requireSameShape(parameter);
    parameter.requireSameShape(newVelocity);
    parameter.requireSameShape(velocity);
    parameter.requireSameShape(gradient);
    learningRate.requireShape();
    operands.require(
        (velocity == null) == (newVelocity == null) && (velocity == null) == (sgd.momentum() == 0),
        () ->
            ("with momentum both velocities are needed, without it none; momentum is %s, velocity"
                    + " is %s, new_velocity is %s")
                .formatted(
                    sgd.momentum(),
                    velocity == null ? "null" : velocity.view(),
                    newVelocity == null ? "null" : newVelocity.view()));
    operands.allowInPlace(newParameter, parameter);
    operands.allowInPlace(newVelocity, velocity);
    Reals velocities = Operand.realsOrNull(velocity);
    Reals newVelocities = Operand.realsOrNull(newVelocity);
    return operands.instruction(
        () ->
            sgdStep(
                newParameter.reals(),
                newVelocities,
                parameter.reals(),
                velocities,
                gradient.reals(),
                learningRate.reals().get(0),
                sgd,
                parameter.count()));
  }

  private static void sgdStep(
      Reals newParameter,
      @Nullable Reals newVelocity,
      Reals parameter,
      @Nullable Reals velocity,
      Reals gradient,
      double learningRate,
      Sgd sgd,
      int count) {
    for (int i = 0; i < count; i++) {
      double d = gradient.get(i) + sgd.weightDecay() * parameter.get(i);
      double step = d;
      if (velocity != null && newVelocity != null) {
        double v = sgd.momentum() * velocity.get(i) + (1 - sgd.dampening()) * d;
        newVelocity.set(i, v);
        step = sgd.nesterov() ? d + sgd.momentum() * v : v;
      }
      newParameter.set(i, parameter.get(i) - learningRate * step);
    }
  }
}
