package dev.gatun.graph.op;

import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The logarithm of softmax along the last axis.
public record LogSoftmax() implements Op {
  @Override
  public String name() {
    return "log_softmax";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    if (inputs.getFirst().shape().rank() < 1) {
      throw new ShapeException(
          "[log_softmax] expected at least one axis, found " + inputs.getFirst());
    }
    return inputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.logSoftmax(outputs.getFirst(), inputs.getFirst());
  }

  /// dy - exp(y) Σ dy.
  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor y = at.output(0);
    Tensor dy = at.gradient();
    Tensor sum = Checks.wide(dy).sum(-1).as(y.dtype());
    Tensor total = sum.reshape(y.shape().with(-1, 1).toArray());
    return List.of(dy.minus(y.exp().times(total)));
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }
}
