package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// The gradient's norm, clipping, averages, and the step of SGD.
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
    operands.requireShapeOf(x, y);
    norm.requireShape();
    operands.require(
        maxNorm > 0 && Double.isFinite(maxNorm),
        () -> "max_norm must be positive and finite, but is %s".formatted(maxNorm));
    operands.allowInPlace(y, x);
    return operands.instruction(
        () -> clipByNorm(y.reals(), x.reals(), norm.reals(), maxNorm, x.count()));
  }

  private static void clipByNorm(Reals y, Reals x, Reals norm, double maxNorm, int count) {
    double length = norm.get(0);
    double scale = length > maxNorm && Double.isFinite(length) ? maxNorm / length : 1;
    for (int i = 0; i < count; i++) {
      y.set(i, x.get(i) * scale);
    }
  }

  static Instruction clipRows(
      View yView, View xView, @Nullable View referenceView, double ratio, double floor) {
    Operands operands = new Operands("clip_rows");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    Operand reference = operands.optionalInput("reference", referenceView);
    operands.requireReal(y, x, reference);
    x.requireRank(2);
    operands.requireShapeOf(x, y, reference);
    operands.require(
        ratio > 0 && Double.isFinite(ratio),
        () -> "ratio must be positive and finite, but is %s".formatted(ratio));
    operands.require(
        floor >= 0 && Double.isFinite(floor),
        () -> "floor must be finite and not negative, but is %s".formatted(floor));
    operands.allowInPlace(y, x);
    int columns = (int) x.shape().dim(1);
    int rows = (int) x.shape().dim(0);
    Reals like = Operand.realsOrNull(reference);
    return operands.instruction(
        () -> {
          for (int r = 0; r < rows; r++) {
            double limit =
                like == null ? ratio : ratio * Math.max(floor, rowNorm(like, r, columns));
            clipRow(y.reals(), x.reals(), r, columns, limit);
          }
        });
  }

  private static void clipRow(Reals y, Reals x, int row, int columns, double limit) {
    double norm = rowNorm(x, row, columns);
    double scale = norm > limit && Double.isFinite(norm) ? limit / norm : 1;
    for (int i = row * columns; i < (row + 1) * columns; i++) {
      y.set(i, x.get(i) * scale);
    }
  }

  private static double rowNorm(Reals x, int row, int columns) {
    double sum = 0;
    for (int i = row * columns; i < (row + 1) * columns; i++) {
      sum += x.get(i) * x.get(i);
    }
    return Math.sqrt(sum);
  }

  static Instruction lerp(View yView, View aView, View bView, View weightView) {
    Operands operands = new Operands("lerp");
    Operand y = operands.output("y", yView);
    Operand a = operands.input("a", aView);
    Operand b = operands.input("b", bView);
    Operand weight = operands.input("weight", weightView);
    operands.requireReal(y, a, b, weight);
    operands.requireShapeOf(a, y, b);
    weight.requireShape();
    operands.allowInPlace(y, a);
    return operands.instruction(
        () -> lerp(y.reals(), a.reals(), b.reals(), weight.reals().get(0), a.count()));
  }

  private static void lerp(Reals y, Reals a, Reals b, double weight, int count) {
    for (int i = 0; i < count; i++) {
      y.set(i, a.get(i) + weight * (b.get(i) - a.get(i)));
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
    operands.requireShapeOf(parameter, newParameter, newVelocity, velocity, gradient);
    learningRate.requireShape();
    requireAttributes(operands, sgd);
    requireVelocity(operands, "new_velocity", newVelocity, sgd);
    requireVelocity(operands, "velocity", velocity, sgd);
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

  private static void requireAttributes(Operands operands, Sgd sgd) {
    operands.require(
        sgd.momentum() >= 0 && Double.isFinite(sgd.momentum()),
        () -> "momentum must be finite and not negative, but is %s".formatted(sgd.momentum()));
    operands.require(
        Double.isFinite(sgd.dampening()),
        () -> "dampening must be finite, but is %s".formatted(sgd.dampening()));
    operands.require(
        Double.isFinite(sgd.weightDecay()),
        () -> "weight_decay must be finite, but is %s".formatted(sgd.weightDecay()));
    operands.require(
        sgd.momentum() > 0 || !sgd.nesterov(), () -> "nesterov needs momentum, which is 0");
  }

  private static void requireVelocity(
      Operands operands, String name, @Nullable Operand velocity, Sgd sgd) {
    boolean needed = sgd.momentum() > 0;
    operands.require(
        (velocity != null) == needed,
        () ->
            "momentum is %s, so %s must %sbe null"
                .formatted(sgd.momentum(), name, needed ? "not " : ""));
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
    double gain = sgd.rateInVelocity() ? learningRate : 1;
    double rate = sgd.rateInVelocity() ? 1 : learningRate;
    for (int i = 0; i < count; i++) {
      double d = gain * (gradient.get(i) + sgd.weightDecay() * parameter.get(i));
      double step = d;
      if (velocity != null && newVelocity != null) {
        double v = sgd.momentum() * velocity.get(i) + (1 - sgd.dampening()) * d;
        newVelocity.set(i, v);
        step = sgd.nesterov() ? d + sgd.momentum() * v : v;
      }
      newParameter.set(i, parameter.get(i) - rate * step);
    }
  }
}
