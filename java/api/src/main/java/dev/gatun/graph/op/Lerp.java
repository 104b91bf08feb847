package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// a + weight · (b - a). Inputs a, b and weight (scalar).
public record Lerp() implements Op {
  @Override
  public String name() {
    return "lerp";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 3);
    Checks.real(name(), inputs);
    Checks.shape(name(), "b", inputs.get(1), inputs.getFirst().shape());
    Checks.shape(name(), "weight", inputs.get(2), Shape.scalar());
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.lerp(outputs.getFirst(), inputs.get(0), inputs.get(1), inputs.get(2));
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor dy = at.gradient();
    Tensor db = dy.times(at.input(2));
    Tensor way = at.input(1).minus(at.input(0));
    return List.of(dy.minus(db), db, dy.times(way).sum());
  }

  @Override
  public boolean inPlace(int output, int input) {
    return input == 0;
  }
}
