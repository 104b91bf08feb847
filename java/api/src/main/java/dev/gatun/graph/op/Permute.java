package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The axes in another order.
///
/// @param axes axis i of the result is axis `axes[i]` of the input
public record Permute(List<Integer> axes) implements Op {
  @Override
  public String name() {
    return "permute";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    TensorType x = inputs.getFirst();
    int rank = x.shape().rank();
    boolean inRange = axes.stream().allMatch(axis -> axis >= 0 && axis < rank);
    if (axes.size() != rank || !inRange || new HashSet<>(axes).size() != rank) {
      throw new ShapeException(
          "[permute] expected a permutation of the %d axes of %s, found %s"
              .formatted(rank, x, axes));
    }
    return List.of(
        x.with(Shape.of(axes.stream().mapToLong(axis -> x.shape().dim(axis)).toArray())));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.permute(
        outputs.getFirst(), inputs.getFirst(), axes.stream().mapToInt(Integer::intValue).toArray());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    int[] inverse = new int[axes.size()];
    for (int i = 0; i < inverse.length; i++) {
      inverse[axes.get(i)] = i;
    }
    return List.of(at.gradient().permute(inverse));
  }
}
