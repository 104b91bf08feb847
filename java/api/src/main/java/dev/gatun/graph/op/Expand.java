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

/// A tensor repeated along axes of extent 1 and along new axes in front. Lowered to max(x, x),
/// whose operands broadcast.
///
/// @param shape the new extents
public record Expand(Shape shape) implements Op {
  @Override
  public String name() {
    return "expand";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    TensorType x = inputs.getFirst();
    TensorType result = x.with(shape);
    if (!Checks.broadcast(name(), x, result).equals(shape)) {
      throw new ShapeException("[expand] cannot make %s of %s".formatted(shape, x));
    }
    return List.of(result);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.binary(
        outputs.getFirst(), inputs.getFirst(), inputs.getFirst(), Backend.Binary.MAXIMUM);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(BinaryOp.sumTo(at.gradient(), at.input(0).shape()));
  }
}
