package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The greatest element of each window of x [N,H,W,C]. Outputs y [N,P,Q,C] and its place in the
/// window, taps (U8).
///
/// @param window the size, at most 255 elements, and how it moves
public record MaxPool(Window window) implements Op {
  @Override
  public String name() {
    return "max_pool";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    Checks.pooling(name(), window);
    if ((long) window.height() * window.width() > 255) {
      throw new ShapeException(
          "[max_pool] expected a window of at most 255 elements, found %dx%d"
              .formatted(window.height(), window.width()));
    }
    TensorType x = inputs.getFirst();
    Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
    Shape y = Checks.windowed(name(), x, window, x.shape().dim(3));
    return List.of(x.with(y), new TensorType(DType.U8, y));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.maxPool(outputs.get(0), outputs.get(1), inputs.getFirst(), window);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Backward backward = new Backward(window, at.input(0).shape());
    return List.of(Tensor.applyAll(backward, List.of(at.gradient(), at.output(1))).getFirst());
  }

  /// Sends each gradient to the element that won. Inputs dy and taps [N,P,Q,C].
  ///
  /// @param window as in the forward op
  /// @param shape of x
  public record Backward(Window window, Shape shape) implements Op {
    @Override
    public String name() {
      return "max_pool_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 2);
      TensorType dy = inputs.get(0);
      Checks.floating(name(), List.of(dy));
      TensorType x = dy.with(shape);
      Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
      Shape y = Checks.windowed(name(), x, window, shape.dim(3));
      Checks.shape(name(), "dy", dy, y);
      Checks.shape(name(), "taps", inputs.get(1), y);
      Checks.dtype(name(), "taps", inputs.get(1), DType.U8);
      return List.of(x);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.maxPoolBackward(outputs.getFirst(), inputs.get(0), inputs.get(1), window);
    }
  }
}
