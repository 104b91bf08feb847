package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;

/// One step of SGD. Inputs parameter, gradient, learning rate (scalar) and, with momentum,
/// velocity. Outputs the new parameter and, with momentum, the new velocity.
///
/// @param attributes momentum, dampening, weight decay, Nesterov
public record SgdStep(Backend.Sgd attributes) implements Op {
  @Override
  public String name() {
    return "sgd_step";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    boolean momentum = attributes.momentum() != 0;
    Checks.arity(name(), inputs, momentum ? 4 : 3);
    Checks.real(name(), inputs);
    TensorType parameter = inputs.getFirst();
    Checks.shape(name(), "gradient", inputs.get(1), parameter.shape());
    Checks.shape(name(), "learning rate", inputs.get(2), Shape.scalar());
    if (momentum) {
      Checks.shape(name(), "velocity", inputs.get(3), parameter.shape());
    }
    return momentum ? List.of(parameter, parameter) : List.of(parameter);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    boolean momentum = attributes.momentum() != 0;
    backend.sgdStep(
        outputs.get(0),
        momentum ? outputs.get(1) : null,
        inputs.get(0),
        momentum ? inputs.get(3) : null,
        inputs.get(1),
        inputs.get(2),
        attributes);
  }
}
