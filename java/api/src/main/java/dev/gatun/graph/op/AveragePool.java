package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The mean of each window's elements that lie inside x [N,H,W,C], or of all, those in the padding
/// being 0.
///
/// @param window the size and how it moves
/// @param countPadding whether padding counts
public record AveragePool(Window window, boolean countPadding) implements Op {
  /// Padding is not counted.
  public AveragePool(Window window) {
    this(window, false);
  }

  @Override
  public String name() {
    return "average_pool";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    Checks.pooling(name(), window);
    TensorType x = inputs.getFirst();
    Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
    return List.of(x.with(Checks.windowed(name(), x, window, x.shape().dim(3))));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.averagePool(outputs.getFirst(), inputs.getFirst(), window, countPadding);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Backward backward = new Backward(window, at.input(0).shape(), countPadding);
    return List.of(Tensor.applyAll(backward, List.of(at.gradient())).getFirst());
  }

  /// Spreads each gradient over its window.
  ///
  /// @param window as in the forward op
  /// @param shape of x
  /// @param countPadding as in the forward op
  public record Backward(Window window, Shape shape, boolean countPadding) implements Op {
    /// Padding is not counted.
    public Backward(Window window, Shape shape) {
      this(window, shape, false);
    }

    @Override
    public String name() {
      return "average_pool_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 1);
      Checks.floating(name(), inputs);
      TensorType dy = inputs.getFirst();
      TensorType x = dy.with(shape);
      Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
      Checks.shape(name(), "dy", dy, Checks.windowed(name(), x, window, shape.dim(3)));
      return List.of(x);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.averagePoolBackward(outputs.getFirst(), inputs.getFirst(), window, countPadding);
    }

    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      AveragePool forward = new AveragePool(window, countPadding);
      return List.of(Tensor.applyAll(forward, List.of(at.gradient())).getFirst());
    }
  }
}
