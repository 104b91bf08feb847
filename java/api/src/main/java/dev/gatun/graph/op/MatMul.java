package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// activation(op(a) · op(b) + bias). Inputs a, b and, with a bias, bias [N].
///
/// @param transposeA whether a is stored as [K,M] instead of [M,K]
/// @param transposeB whether b is stored as [N,K] instead of [K,N]
/// @param bias whether there is a third input
/// @param activation applied to the sum
public record MatMul(boolean transposeA, boolean transposeB, boolean bias, Activation activation)
    implements Op {
  @Override
  public String name() {
    return "matmul";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, bias ? 3 : 2);
    Checks.floating(name(), inputs);
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    Checks.rank(name(), "a", a, 2, "with two axes");
    Checks.rank(name(), "b", b, 2, "with two axes");
    long innerA = a.shape().dim(transposeA ? 0 : 1);
    long innerB = b.shape().dim(transposeB ? 1 : 0);
    if (innerA != innerB) {
      throw new ShapeException(
          "[matmul] inner dimensions differ: %s%s x %s%s"
              .formatted(
                  a.shape(),
                  transposeA ? " transposed" : "",
                  b.shape(),
                  transposeB ? " transposed" : ""));
    }
    Shape shape = Shape.of(a.shape().dim(transposeA ? 1 : 0), b.shape().dim(transposeB ? 0 : 1));
    if (bias) {
      Checks.shape(name(), "bias", inputs.get(2), Shape.of(shape.dim(1)));
    }
    return List.of(a.with(shape));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.matmul(
        outputs.getFirst(),
        inputs.get(0),
        inputs.get(1),
        bias ? inputs.get(2) : null,
        transposeA,
        transposeB,
        activation);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor dy = activation == Activation.RELU ? at.gradient().where(at.output(0)) : at.gradient();
    Tensor a = at.input(0);
    Tensor b = at.input(1);
    List<@Nullable Tensor> gradients = new ArrayList<>();
    gradients.add(
        transposeA ? product(transposeB, true, b, dy) : product(false, !transposeB, dy, b));
    gradients.add(
        transposeB ? product(true, transposeA, dy, a) : product(!transposeA, false, a, dy));
    if (bias) {
      gradients.add(dy.sum(0));
    }
    return gradients;
  }

  private static Tensor product(boolean transposeA, boolean transposeB, Tensor a, Tensor b) {
    MatMul op = new MatMul(transposeA, transposeB, false, Activation.NONE);
    return Tensor.applyAll(op, List.of(a, b)).getFirst();
  }
}
