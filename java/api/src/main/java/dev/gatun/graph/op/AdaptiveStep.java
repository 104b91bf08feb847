package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One step of an adaptive rule. Inputs parameter, gradient, learning rate (scalar), step (I64
/// scalar, the steps done before) and the states that the rule keeps, of m, v and greatest in this
/// order. Outputs the new parameter and the new states.
///
/// @param attributes the rule and its numbers
public record AdaptiveStep(Backend.Adaptive attributes) implements Op {
  /// Checks the ranges.
  public AdaptiveStep {
    Checks.attribute(
        attributes.beta1() >= 0 && attributes.beta1() < 1,
        "adaptive_step",
        "beta1 in [0, 1)",
        attributes.beta1());
    Checks.attribute(
        attributes.beta2() >= 0 && attributes.beta2() < 1,
        "adaptive_step",
        "beta2 in [0, 1)",
        attributes.beta2());
    Checks.attribute(
        attributes.epsilon() > 0 && Double.isFinite(attributes.epsilon()),
        "adaptive_step",
        "an epsilon above 0",
        attributes.epsilon());
  }

  @Override
  public String name() {
    return "adaptive_step";
  }

  /// The states that the rule keeps.
  private List<String> states() {
    List<String> states = new ArrayList<>();
    if (attributes.hasM()) {
      states.add("m");
    }
    if (attributes.hasV()) {
      states.add("v");
    }
    if (attributes.hasGreatest()) {
      states.add("greatest");
    }
    return states;
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    List<String> states = states();
    Checks.arity(name(), inputs, 4 + states.size());
    TensorType parameter = inputs.getFirst();
    List<TensorType> real = new ArrayList<>(inputs);
    TensorType step = real.remove(3);
    Checks.real(name(), real);
    Checks.shape(name(), "gradient", inputs.get(1), parameter.shape());
    Checks.shape(name(), "learning rate", inputs.get(2), Shape.scalar());
    Checks.dtype(name(), "step", step, DType.I64);
    Checks.shape(name(), "step", step, Shape.scalar());
    List<TensorType> outputs = new ArrayList<>(List.of(parameter));
    for (int i = 0; i < states.size(); i++) {
      Checks.shape(name(), states.get(i), inputs.get(4 + i), parameter.shape());
      outputs.add(parameter);
    }
    return outputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    Iterator<View> kept = outputs.subList(1, outputs.size()).iterator();
    View newM = next(attributes.hasM(), kept);
    View newV = next(attributes.hasV(), kept);
    View newGreatest = next(attributes.hasGreatest(), kept);
    Iterator<View> before = inputs.subList(4, inputs.size()).iterator();
    View m = next(attributes.hasM(), before);
    View v = next(attributes.hasV(), before);
    View greatest = next(attributes.hasGreatest(), before);
    backend.adaptiveStep(
        outputs.getFirst(),
        newM,
        newV,
        newGreatest,
        inputs.get(0),
        m,
        v,
        greatest,
        inputs.get(1),
        inputs.get(2),
        inputs.get(3),
        attributes);
  }

  private static @Nullable View next(boolean kept, Iterator<View> states) {
    return kept ? states.next() : null;
  }
}
