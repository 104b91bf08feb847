package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Adaptive;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// The steps of AMSGrad, NAdam, AdaGrad, RMSProp and Lion.
final class AdaptiveRules {
  /// How fast NAdam's momentum grows (Dozat 2016).
  private static final double MOMENTUM_DECAY = 0.004;

  private AdaptiveRules() {}

  private record State(
      Reals newParameter,
      @Nullable Reals newM,
      @Nullable Reals newV,
      @Nullable Reals newGreatest,
      Reals parameter,
      @Nullable Reals m,
      @Nullable Reals v,
      @Nullable Reals greatest) {}

  static Instruction step(
      View newParameterView,
      @Nullable View newMView,
      @Nullable View newVView,
      @Nullable View newGreatestView,
      View parameterView,
      @Nullable View mView,
      @Nullable View vView,
      @Nullable View greatestView,
      View gradientView,
      View learningRateView,
      View stepView,
      Adaptive rule) {
    Operands operands = new Operands("adaptive_step");
    Operand newParameter = operands.output("new_parameter", newParameterView);
    Operand newM = operands.optionalOutput("new_m", newMView);
    Operand newV = operands.optionalOutput("new_v", newVView);
    Operand newGreatest = operands.optionalOutput("new_greatest", newGreatestView);
    Operand parameter = operands.input("parameter", parameterView);
    Operand m = operands.optionalInput("m", mView);
    Operand v = operands.optionalInput("v", vView);
    Operand greatest = operands.optionalInput("greatest", greatestView);
    Operand gradient = operands.input("gradient", gradientView);
    Operand learningRate = operands.input("learning_rate", learningRateView);
    Operand step = operands.input("step", stepView);
    operands.requireReal(
        newParameter, newM, newV, newGreatest, parameter, m, v, greatest, gradient, learningRate);
    operands.requireShapeOf(
        parameter, newParameter, newM, newV, newGreatest, m, v, greatest, gradient);
    learningRate.requireShape();
    step.requireDtype(DType.I64);
    step.requireShape();
    AdamRule.requireShare(operands, "beta1", rule.beta1());
    AdamRule.requireShare(operands, "beta2", rule.beta2());
    operands.require(
        rule.epsilon() > 0 && Double.isFinite(rule.epsilon()),
        () -> "epsilon must be positive and finite, but is %s".formatted(rule.epsilon()));
    operands.require(
        Double.isFinite(rule.weightDecay()),
        () -> "weight_decay must be finite, but is %s".formatted(rule.weightDecay()));
    requireKept(operands, rule, "new_m", newM, rule.hasM());
    requireKept(operands, rule, "m", m, rule.hasM());
    requireKept(operands, rule, "new_v", newV, rule.hasV());
    requireKept(operands, rule, "v", v, rule.hasV());
    requireKept(operands, rule, "new_greatest", newGreatest, rule.hasGreatest());
    requireKept(operands, rule, "greatest", greatest, rule.hasGreatest());
    operands.allowInPlace(newParameter, parameter);
    operands.allowInPlace(newM, m);
    operands.allowInPlace(newV, v);
    operands.allowInPlace(newGreatest, greatest);
    State state =
        new State(
            newParameter.reals(),
            Operand.realsOrNull(newM),
            Operand.realsOrNull(newV),
            Operand.realsOrNull(newGreatest),
            parameter.reals(),
            Operand.realsOrNull(m),
            Operand.realsOrNull(v),
            Operand.realsOrNull(greatest));
    Reals slope = gradient.reals();
    Reals rate = learningRate.reals();
    Integers done = step.integers();
    return operands.instruction(
        () -> step(state, slope, rate.get(0), done.get(0) + 1.0, rule, parameter.count()));
  }

  private static void requireKept(
      Operands operands, Adaptive rule, String name, @Nullable Operand operand, boolean kept) {
    operands.require(
        (operand != null) == kept,
        () -> "for rule %s %s must %sbe null".formatted(rule.rule(), name, kept ? "not " : ""));
  }

  private static void step(
      State s, Reals gradient, double learningRate, double t, Adaptive rule, int count) {
    double l2 = rule.decoupled() ? 0 : rule.weightDecay();
    double kept = rule.decoupled() ? 1 - learningRate * rule.weightDecay() : 1;
    double product = rule.rule() == AdaptiveRule.NADAM ? momenta(rule.beta1(), t) : 0;
    for (int i = 0; i < count; i++) {
      double p = s.parameter.get(i);
      double d = gradient.get(i) + l2 * p;
      double direction =
          switch (rule.rule()) {
            case AMSGRAD -> amsgrad(s, i, d, t, rule);
            case NADAM -> nadam(s, i, d, t, product, rule);
            case ADAGRAD -> d / (Math.sqrt(squares(s, i, d, 1, 1)) + rule.epsilon());
            case RMSPROP -> rmsprop(s, i, d, rule);
            case LION -> lion(s, i, d, rule);
          };
      s.newParameter.set(i, kept * p - learningRate * direction);
    }
  }

  private static double amsgrad(State s, int i, double d, double t, Adaptive rule) {
    double m = mean(s, i, d, rule.beta1());
    double v = squares(s, i, d, rule.beta2(), 1 - rule.beta2());
    double greatest = Math.max(v, some(s.greatest).get(i));
    some(s.newGreatest).set(i, greatest);
    double root = Math.sqrt(greatest / (1 - Math.pow(rule.beta2(), t)));
    return m / (1 - Math.pow(rule.beta1(), t)) / (root + rule.epsilon());
  }

  private static double nadam(State s, int i, double d, double t, double product, Adaptive rule) {
    double now = momentum(rule.beta1(), t);
    double next = momentum(rule.beta1(), t + 1);
    double m = mean(s, i, d, rule.beta1());
    double v = squares(s, i, d, rule.beta2(), 1 - rule.beta2());
    double root = Math.sqrt(v / (1 - Math.pow(rule.beta2(), t))) + rule.epsilon();
    return (next * m / (1 - product * next) + (1 - now) * d / (1 - product)) / root;
  }

  private static double momentum(double beta1, double t) {
    return beta1 * (1 - 0.5 * Math.pow(0.96, MOMENTUM_DECAY * t));
  }

  private static double momenta(double beta1, double t) {
    double product = 1;
    for (double i = 1; i <= t && product != 0; i++) {
      product *= momentum(beta1, i);
    }
    return product;
  }

  private static double rmsprop(State s, int i, double d, Adaptive rule) {
    double v = squares(s, i, d, rule.beta2(), 1 - rule.beta2());
    double scaled = d / (Math.sqrt(v) + rule.epsilon());
    if (s.m == null) {
      return scaled;
    }
    double velocity = rule.beta1() * s.m.get(i) + scaled;
    some(s.newM).set(i, velocity);
    return velocity;
  }

  private static double lion(State s, int i, double d, Adaptive rule) {
    double old = some(s.m).get(i);
    some(s.newM).set(i, rule.beta2() * old + (1 - rule.beta2()) * d);
    return Math.signum(rule.beta1() * old + (1 - rule.beta1()) * d);
  }

  private static double mean(State s, int i, double d, double beta) {
    double m = beta * some(s.m).get(i) + (1 - beta) * d;
    some(s.newM).set(i, m);
    return m;
  }

  private static double squares(State s, int i, double d, double keep, double share) {
    double v = keep * some(s.v).get(i) + share * d * d;
    some(s.newV).set(i, v);
    return v;
  }

  /// What [#requireKept] has seen to be there.
  private static Reals some(@Nullable Reals state) {
    if (state == null) {
      throw new IllegalStateException("a state that the rule keeps is missing");
    }
    return state;
  }
}
