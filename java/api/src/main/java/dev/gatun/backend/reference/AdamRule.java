package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Adam;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;

/// The step of Adam.
final class AdamRule {
  private AdamRule() {}

  private record State(
      Reals newParameter, Reals newM, Reals newV, Reals parameter, Reals m, Reals v) {}

  static Instruction step(
      View newParameterView,
      View newMView,
      View newVView,
      View parameterView,
      View mView,
      View vView,
      View gradientView,
      View learningRateView,
      View stepView,
      Adam adam) {
    Operands operands = new Operands("adam_step");
    Operand newParameter = operands.output("new_parameter", newParameterView);
    Operand newM = operands.output("new_m", newMView);
    Operand newV = operands.output("new_v", newVView);
    Operand parameter = operands.input("parameter", parameterView);
    Operand m = operands.input("m", mView);
    Operand v = operands.input("v", vView);
    Operand gradient = operands.input("gradient", gradientView);
    Operand learningRate = operands.input("learning_rate", learningRateView);
    Operand step = operands.input("step", stepView);
    operands.requireReal(newParameter, newM, newV, parameter, m, v, gradient, learningRate);
    operands.requireShapeOf(parameter, newParameter, newM, newV, m, v, gradient);
    learningRate.requireShape();
    step.requireDtype(DType.I64);
    step.requireShape();
    requireShare(operands, "beta1", adam.beta1());
    requireShare(operands, "beta2", adam.beta2());
    operands.require(
        adam.epsilon() > 0 && Double.isFinite(adam.epsilon()),
        () -> "epsilon must be positive and finite, but is %s".formatted(adam.epsilon()));
    operands.require(
        Double.isFinite(adam.weightDecay()),
        () -> "weight_decay must be finite, but is %s".formatted(adam.weightDecay()));
    operands.allowInPlace(newParameter, parameter);
    operands.allowInPlace(newM, m);
    operands.allowInPlace(newV, v);
    State state =
        new State(
            newParameter.reals(),
            newM.reals(),
            newV.reals(),
            parameter.reals(),
            m.reals(),
            v.reals());
    Reals slope = gradient.reals();
    Reals rate = learningRate.reals();
    Integers done = step.integers();
    return operands.instruction(
        () -> step(state, slope, rate.get(0), done.get(0) + 1.0, adam, parameter.count()));
  }

  static void requireShare(Operands operands, String name, double beta) {
    operands.require(
        beta >= 0 && beta < 1, () -> "%s must be in [0, 1), but is %s".formatted(name, beta));
  }

  private static void step(
      State state, Reals gradient, double learningRate, double t, Adam adam, int count) {
    double bias1 = 1 - Math.pow(adam.beta1(), t);
    double bias2 = 1 - Math.pow(adam.beta2(), t);
    double l2 = adam.decoupled() ? 0 : adam.weightDecay();
    double kept = adam.decoupled() ? 1 - learningRate * adam.weightDecay() : 1;
    for (int i = 0; i < count; i++) {
      double d = gradient.get(i) + l2 * state.parameter.get(i);
      double m = adam.beta1() * state.m.get(i) + (1 - adam.beta1()) * d;
      double v = adam.beta2() * state.v.get(i) + (1 - adam.beta2()) * d * d;
      state.newM.set(i, m);
      state.newV.set(i, v);
      double direction = m / bias1 / (Math.sqrt(v / bias2) + adam.epsilon());
      state.newParameter.set(i, kept * state.parameter.get(i) - learningRate * direction);
    }
  }
}
