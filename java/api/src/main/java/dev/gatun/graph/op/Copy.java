package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The same tensor in memory of its own. Plans insert it where one value must be stored in two
/// places.
public record Copy() implements Op {
  @Override
  public String name() {
    return "copy";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.copy(outputs.getFirst(), inputs.getFirst());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(at.gradient());
  }
}
