package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// An elementwise function of two operands, broadcast as in NumPy.
///
/// @param op which
public record BinaryOp(Binary op) implements Op {
  @Override
  public String name() {
    return op.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2);
    Checks.floating(name(), inputs);
    TensorType a = inputs.getFirst();
    return List.of(a.with(Checks.broadcast(name(), a, inputs.getLast())));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.binary(outputs.getFirst(), inputs.getFirst(), inputs.getLast(), op);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor dy = at.gradient();
    Tensor a = at.input(0);
    Tensor b = at.input(1);
    List<@Nullable Tensor> full =
        switch (op) {
          case ADD -> List.of(dy, dy);
          case SUBTRACT -> List.of(dy, dy.negate());
          case MULTIPLY -> List.of(dy.times(b), dy.times(a));
          case DIVIDE -> List.of(dy.div(b), dy.times(at.output(0)).div(b).negate());
          case MAXIMUM -> split(dy, dy.where(a.minus(b)));
          case MINIMUM -> split(dy, dy.where(b.minus(a)));
          case GATE -> Arrays.asList(dy.where(b), null);
        };
    Tensor da = full.getFirst();
    Tensor db = full.getLast();
    return Arrays.asList(
        da == null ? null : sumTo(da, a.shape()), db == null ? null : sumTo(db, b.shape()));
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }

  /// The transpose of broadcasting: sums `gradient` over the axes along which a tensor of `shape`
  /// was repeated, in F32 if it is BF16.
  static Tensor sumTo(Tensor gradient, Shape shape) {
    int extra = gradient.shape().rank() - shape.rank();
    int[] axes =
        IntStream.range(0, gradient.shape().rank())
            .filter(i -> i < extra || (shape.dim(i - extra) == 1 && gradient.shape().dim(i) != 1))
            .toArray();
    if (axes.length == 0) {
      return gradient;
    }
    return Checks.wide(gradient).sum(axes).reshape(shape.toArray());
  }

  private static List<@Nullable Tensor> split(Tensor whole, Tensor first) {
    return List.of(first, whole.minus(first));
  }
}
