package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The index of the first greatest element along the last axis, which keeps extent 1.
public record Argmax() implements Op {
  @Override
  public String name() {
    return "argmax";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.real(name(), inputs);
    TensorType x = inputs.getFirst();
    if (x.shape().rank() < 1 || x.shape().dim(-1) < 1) {
      throw new ShapeException("[argmax] expected a last axis with elements, found " + x);
    }
    return List.of(new TensorType(DType.I32, x.shape().with(-1, 1)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.argmax(outputs.getFirst(), inputs.getFirst());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return Collections.singletonList(null);
  }
}
