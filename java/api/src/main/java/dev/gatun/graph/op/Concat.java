package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Tensors one after the other along an axis, with zeros before and behind them. With one input it
/// is the transpose of [Slice].
///
/// @param axis from 0 on
/// @param before how many zeros come first along it
/// @param after how many come last
public record Concat(int axis, long before, long after) implements Op {
  /// The most inputs of the instruction.
  public static final int MAX_INPUTS = 32;

  /// Checks the range.
  public Concat {
    Checks.attribute(before >= 0, "concat", "at least 0 zeros before", (double) before);
    Checks.attribute(after >= 0, "concat", "at least 0 zeros behind", (double) after);
  }

  /// The concatenation along `axis`, where -1 is the last one, of tensors with as many axes as
  /// `first`.
  public static Concat of(Tensor first, int axis, long before, long after) {
    return new Concat(Checks.axis("concat", axis, TensorType.of(first)), before, after);
  }

  @Override
  public String name() {
    return "concat";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    if (inputs.isEmpty()) {
      throw new ShapeException("[concat] expected 1 or more inputs, found 0");
    }
    if (inputs.size() > MAX_INPUTS) {
      throw new ShapeException(
          "[concat] expected at most %d inputs, found %d".formatted(MAX_INPUTS, inputs.size()));
    }
    TensorType first = inputs.getFirst();
    int index = Checks.axis(name(), axis, first);
    long extent = sum(before, after);
    for (int i = 0; i < inputs.size(); i++) {
      TensorType input = inputs.get(i);
      Shape shape = input.shape();
      if (input.dtype() != first.dtype()) {
        throw new ShapeException("[concat] dtypes differ: %s and %s".formatted(first, input));
      }
      if (shape.rank() != first.shape().rank()
          || !shape.with(index, 0).equals(first.shape().with(index, 0))) {
        throw new ShapeException(
            "[concat] expected input %d to differ from %s along axis %d alone, found %s"
                .formatted(i, first, axis, input));
      }
      extent = sum(extent, shape.dim(index));
    }
    return List.of(first.with(first.shape().with(index, extent)));
  }

  /// What is too large for a number is too large for a shape, which says so.
  private static long sum(long a, long b) {
    return a > Long.MAX_VALUE - b ? Long.MAX_VALUE : a + b;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.concat(outputs.getFirst(), inputs, axis, before);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<@Nullable Tensor> gradients = new ArrayList<>();
    long begin = before;
    for (Tensor input : at.inputs()) {
      long end = begin + input.shape().dim(axis);
      gradients.add(at.gradient().slice(axis, begin, end));
      begin = end;
    }
    return gradients;
  }
}
