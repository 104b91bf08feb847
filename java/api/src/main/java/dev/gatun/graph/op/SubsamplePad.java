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

/// The option A shortcut of residual nets: every `stride`-th pixel, zeros in the new channels.
///
/// @param stride between the pixels that stay
/// @param channels of the result, at least those of the input
public record SubsamplePad(int stride, long channels) implements Op {
  @Override
  public String name() {
    return "subsample_pad";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    TensorType x = inputs.getFirst();
    Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
    Shape shape = x.shape();
    if (stride < 1) {
      throw new ShapeException("[subsample_pad] expected a stride of at least 1, found " + stride);
    }
    if (channels < shape.dim(3)) {
      throw new ShapeException(
          "[subsample_pad] expected at least the %d channels of %s, found %d"
              .formatted(shape.dim(3), x, channels));
    }
    return List.of(
        x.with(
            Shape.of(
                shape.dim(0),
                Math.ceilDiv(shape.dim(1), stride),
                Math.ceilDiv(shape.dim(2), stride),
                channels)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.subsamplePad(outputs.getFirst(), inputs.getFirst(), stride);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Backward backward = new Backward(stride, at.input(0).shape());
    return List.of(Tensor.applyAll(backward, List.of(at.gradient())).getFirst());
  }

  /// The transpose.
  ///
  /// @param stride between the pixels that stay
  /// @param shape of the input
  public record Backward(int stride, Shape shape) implements Op {
    @Override
    public String name() {
      return "subsample_pad_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 1);
      TensorType dx = inputs.getFirst().with(shape);
      Checks.rank(name(), "dy", inputs.getFirst(), 4, "[N,P,Q,K]");
      TensorType dy =
          new SubsamplePad(stride, inputs.getFirst().shape().dim(3)).infer(List.of(dx)).getFirst();
      Checks.shape(name(), "dy", inputs.getFirst(), dy.shape());
      return List.of(dx);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.subsamplePadBackward(outputs.getFirst(), inputs.getFirst(), stride);
    }

    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      return List.of(at.gradient().subsamplePad(stride, at.input(0).shape().dim(3)));
    }
  }
}
