package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The same elements with other extents. A plan shares the memory.
///
/// @param shape the new extents
public record Reshape(Shape shape) implements Op {
  /// The shape that `dims` means for `tensor`; one extent may be -1.
  public static Shape resolve(Tensor tensor, long... dims) {
    long[] resolved = dims.clone();
    int open = -1;
    long known = 1;
    for (int i = 0; i < dims.length; i++) {
      if (dims[i] == -1 && open < 0) {
        open = i;
      } else if (dims[i] < 0) {
        throw new ShapeException(
            "[reshape] one extent at most may be -1, found " + Arrays.toString(dims));
      } else {
        known *= dims[i];
      }
    }
    if (open >= 0) {
      long count = tensor.shape().count();
      if (known == 0 || count % known != 0) {
        throw new ShapeException(
            "[reshape] cannot make %s of %s"
                .formatted(Arrays.toString(dims), TensorType.of(tensor)));
      }
      resolved[open] = count / known;
    }
    return Shape.of(resolved);
  }

  @Override
  public String name() {
    return "reshape";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    TensorType x = inputs.getFirst();
    if (x.shape().count() != shape.count()) {
      throw new ShapeException(
          "[reshape] cannot make %s (%d elements) of %s (%d elements)"
              .formatted(shape, shape.count(), x, x.shape().count()));
    }
    return List.of(x.with(shape));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.copy(outputs.getFirst(), inputs.getFirst());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(at.gradient().reshape(at.input(0).shape().toArray()));
  }

  @Override
  public boolean isAlias() {
    return true;
  }
}
