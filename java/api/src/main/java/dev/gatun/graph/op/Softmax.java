package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// exp(x) normalised to sum 1 along the last axis.
public record Softmax() implements Op {
  @Override
  public String name() {
    return "softmax";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    if (inputs.getFirst().shape().rank() < 1) {
      throw new ShapeException("[softmax] expected at least one axis, found " + inputs.getFirst());
    }
    return inputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.softmax(outputs.getFirst(), inputs.getFirst());
  }

  /// y (dy - Σ dy y).
  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor y = at.output(0);
    Tensor weighted = at.gradient().times(y);
    Shape column = y.shape().with(-1, 1);
    Tensor total = Checks.wide(weighted).sum(-1).reshape(column.toArray()).as(y.dtype());
    return List.of(weighted.minus(y.times(total)));
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }
}
