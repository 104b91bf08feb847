package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;

/// One step of Adam. Inputs parameter, gradient, learning rate (scalar), step (I64 scalar, the
/// steps done before), m and v. Outputs the new parameter, m and v.
///
/// @param attributes betas, epsilon, weight decay and its form
public record AdamStep(Backend.Adam attributes) implements Op {
  /// Checks the ranges.
  public AdamStep {
    Checks.attribute(
        attributes.beta1() >= 0 && attributes.beta1() < 1,
        "adam_step",
        "beta1 in [0, 1)",
        attributes.beta1());
    Checks.attribute(
        attributes.beta2() >= 0 && attributes.beta2() < 1,
        "adam_step",
        "beta2 in [0, 1)",
        attributes.beta2());
    Checks.attribute(
        attributes.epsilon() > 0 && Double.isFinite(attributes.epsilon()),
        "adam_step",
        "an epsilon above 0",
        attributes.epsilon());
  }

  @Override
  public String name() {
    return "adam_step";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 6);
    TensorType parameter = inputs.getFirst();
    TensorType step = inputs.get(3);
    Checks.real(
        name(), List.of(parameter, inputs.get(1), inputs.get(2), inputs.get(4), inputs.get(5)));
    Checks.shape(name(), "gradient", inputs.get(1), parameter.shape());
    Checks.shape(name(), "learning rate", inputs.get(2), Shape.scalar());
    Checks.dtype(name(), "step", step, DType.I64);
    Checks.shape(name(), "step", step, Shape.scalar());
    Checks.shape(name(), "m", inputs.get(4), parameter.shape());
    Checks.shape(name(), "v", inputs.get(5), parameter.shape());
    return List.of(parameter, parameter, parameter);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.adamStep(
        outputs.get(0),
        outputs.get(1),
        outputs.get(2),
        inputs.get(0),
        inputs.get(4),
        inputs.get(5),
        inputs.get(1),
        inputs.get(2),
        inputs.get(3),
        attributes);
  }
}
