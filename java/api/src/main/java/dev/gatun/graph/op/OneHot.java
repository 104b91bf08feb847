package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Labels [...] (I32) as distributions [...,classes]: 1 at the label, 0 elsewhere; zeros for a
/// label that names no class.
///
/// @param classes the last extent
/// @param dtype of the result, floating
public record OneHot(long classes, DType dtype) implements Op {
  /// Checks the ranges.
  public OneHot {
    Checks.attribute(classes >= 0, "one_hot", "at least 0 classes", (double) classes);
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException(
          "[one_hot] expected a dtype of f32, f64 or bf16, found "
              + dtype.name().toLowerCase(Locale.ROOT));
    }
  }

  @Override
  public String name() {
    return "one_hot";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.dtype(name(), "labels", inputs.getFirst(), DType.I32);
    long[] labels = inputs.getFirst().shape().toArray();
    long[] dims = Arrays.copyOf(labels, labels.length + 1);
    dims[labels.length] = classes;
    return List.of(new TensorType(dtype, Shape.of(dims)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.oneHot(outputs.getFirst(), inputs.getFirst());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return Collections.singletonList(null);
  }
}
