package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A tensor of one value.
///
/// @param type what to make
/// @param value of each element
public record Full(TensorType type, double value) implements Op {
  @Override
  public String name() {
    return "fill";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 0);
    return List.of(type);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.fill(outputs.getFirst(), value);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of();
  }
}
