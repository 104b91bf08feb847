package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// sqrt(Σ x²), a scalar.
public record Norm() implements Op {
  @Override
  public String name() {
    return "norm";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.real(name(), inputs);
    return List.of(inputs.getFirst().with(Shape.scalar()));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.norm(outputs.getFirst(), inputs.getFirst());
  }

  /// x / norm.
  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(at.input(0).times(at.gradient().div(at.output(0))));
  }
}
