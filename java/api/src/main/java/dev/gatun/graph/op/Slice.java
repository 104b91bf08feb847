package dev.gatun.graph.op;

import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Part of a tensor along one axis.
///
/// @param axis from 0 on
/// @param begin the first element along it
/// @param end the one behind the last
public record Slice(int axis, long begin, long end) implements Op {
  /// The elements from `begin` up to `end`, not included, of `x` along `axis`, where -1 is the last
  /// one.
  public static Slice of(Tensor x, int axis, long begin, long end) {
    return new Slice(Checks.axis("slice", axis, TensorType.of(x)), begin, end);
  }

  @Override
  public String name() {
    return "slice";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    TensorType x = inputs.getFirst();
    int index = Checks.axis(name(), axis, x);
    long extent = x.shape().dim(index);
    if (begin < 0 || begin > end || end > extent) {
      throw new ShapeException(
          "[slice] expected 0 <= begin <= end <= %d along axis %d of %s, found begin %d and end %d"
              .formatted(extent, axis, x, begin, end));
    }
    return List.of(x.with(x.shape().with(index, end - begin)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.slice(outputs.getFirst(), inputs.getFirst(), axis, begin);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(at.gradient().pad(axis, begin, at.input(0).shape().dim(axis) - end));
  }
}
