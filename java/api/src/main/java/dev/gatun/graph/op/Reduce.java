package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A reduction that keeps reduced axes with extent 1.
///
/// @param op which
/// @param axes bit i stands for axis i
public record Reduce(Reduction op, int axes) implements Op {
  /// The reduction over `axes` of a tensor of `rank`; over all if none is given.
  public static Reduce over(Reduction op, int rank, int... axes) {
    int mask = axes.length == 0 ? (1 << rank) - 1 : 0;
    for (int axis : axes) {
      int index = axis < 0 ? axis + rank : axis;
      if (index < 0 || index >= rank) {
        throw new ShapeException(
            "[reduce] there is no axis %d in a tensor of %d axes".formatted(axis, rank));
      }
      if ((mask & 1 << index) != 0) {
        throw new ShapeException("[reduce] the axis %d is named twice".formatted(axis));
      }
      mask |= 1 << index;
    }
    return new Reduce(op, mask);
  }

  /// `shape` without the reduced axes.
  public Shape squeezed(Shape shape) {
    return Shape.of(
        IntStream.range(0, shape.rank())
            .filter(i -> (axes & 1 << i) == 0)
            .mapToLong(shape::dim)
            .toArray());
  }

  @Override
  public String name() {
    return "reduce";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.real(name(), inputs);
    TensorType x = inputs.getFirst();
    if (axes >> x.shape().rank() != 0) {
      throw new ShapeException(
          "[reduce] axes %s do not exist in %s".formatted(Integer.toBinaryString(axes), x));
    }
    long[] dims = x.shape().toArray();
    for (int i = 0; i < dims.length; i++) {
      if ((axes & 1 << i) != 0) {
        if (dims[i] == 0 && op == Reduction.MAX) {
          throw new ShapeException(
              "[reduce] the maximum of nothing is not defined: %s".formatted(x));
        }
        dims[i] = 1;
      }
    }
    return List.of(x.with(Shape.of(dims)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.reduce(outputs.getFirst(), inputs.getFirst(), op, axes);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Shape shape = at.input(0).shape();
    return switch (op) {
      case SUM -> List.of(at.gradient().expand(shape.toArray()));
      case MEAN -> {
        double share = (double) at.output(0).shape().count() / shape.count();
        yield List.of(at.gradient().times(share).expand(shape.toArray()));
      }
      case MAX -> {
        // 1 at the greatest elements, which share the gradient alike; the distance of an infinite
        // one from itself is NaN, and not above 0 either.
        Tensor below = at.output(0).minus(at.input(0));
        Tensor greatest = below.sign().where(below).negate().plus(1);
        Tensor count =
            Tensor.applyAll(new Reduce(Reduction.SUM, axes), List.of(greatest)).getFirst();
        yield List.of(at.gradient().div(count).times(greatest));
      }
    };
  }
}
