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

/// Layer normalisation of each row along the last axis, or RMS normalisation.
///
/// Inputs x [...,C], floating, and, if they are there, gamma and beta [C], wide. Outputs y [...,C],
/// the inverse standard deviation [...,1] and, if centered, the mean [...,1].
///
/// @param epsilon added to the variance
/// @param centered whether the mean is subtracted; RMS normalisation leaves it
/// @param scaled whether there is a gamma
/// @param shifted whether there is a beta
public record LayerNorm(double epsilon, boolean centered, boolean scaled, boolean shifted)
    implements Op {
  /// Checks the range.
  public LayerNorm {
    BatchNormTraining.checkEpsilon("layer_norm", epsilon);
  }

  @Override
  public String name() {
    return "layer_norm";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1 + (scaled ? 1 : 0) + (shifted ? 1 : 0));
    Checks.floating(name(), inputs.subList(0, 1), inputs.subList(1, inputs.size()));
    TensorType x = inputs.getFirst();
    TensorType row = row(name(), x);
    for (TensorType parameter : inputs.subList(1, inputs.size())) {
      Checks.shape(name(), "one value per channel", parameter, Shape.of(x.shape().dim(-1)));
    }
    return centered ? List.of(x, row, row) : List.of(x, row);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.layerNorm(
        outputs.get(0),
        centered ? outputs.get(2) : null,
        outputs.get(1),
        inputs.get(0),
        scaled ? inputs.get(1) : null,
        shifted ? inputs.getLast() : null,
        epsilon);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<Tensor> operands = new ArrayList<>(List.of(at.gradient(), at.input(0), at.output(1)));
    if (centered) {
      operands.add(at.output(2));
    }
    if (scaled) {
      operands.add(at.input(1));
    }
    return new ArrayList<>(Tensor.applyAll(new Backward(centered, scaled, shifted), operands));
  }

  /// The type of a row's statistics: x's with a last extent of 1, in F32 if x is BF16.
  private static TensorType row(String op, TensorType x) {
    if (x.shape().rank() < 1 || x.shape().dim(-1) < 1) {
      throw new ShapeException(
          "[%s] expected rows of at least one value, found %s".formatted(op, x));
    }
    long[] dims = x.shape().toArray();
    dims[dims.length - 1] = 1;
    return Checks.wide(x.with(Shape.of(dims)));
  }

  /// The gradient. Inputs dy, x [...,C], inverse standard deviation and, if centered, mean [...,1]
  /// and, if scaled, gamma [C]. Outputs dx [...,C] and, if they are there, dgamma and dbeta [C].
  ///
  /// @param centered as in the forward op
  /// @param scaled as in the forward op
  /// @param shifted as in the forward op
  public record Backward(boolean centered, boolean scaled, boolean shifted) implements Op {
    @Override
    public String name() {
      return "layer_norm_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 3 + (centered ? 1 : 0) + (scaled ? 1 : 0));
      Checks.floating(name(), inputs.subList(0, 2), inputs.subList(2, inputs.size()));
      TensorType dy = inputs.getFirst();
      TensorType row = row(name(), dy);
      TensorType channel = Checks.wide(dy.with(Shape.of(dy.shape().dim(-1))));
      Checks.shape(name(), "x", inputs.get(1), dy.shape());
      Checks.shape(name(), "one value per row", inputs.get(2), row.shape());
      if (centered) {
        Checks.shape(name(), "one value per row", inputs.get(3), row.shape());
      }
      List<TensorType> outputs = new ArrayList<>(List.of(dy));
      if (scaled) {
        Checks.shape(name(), "one value per channel", inputs.getLast(), channel.shape());
        outputs.add(channel);
      }
      if (shifted) {
        outputs.add(channel);
      }
      return List.copyOf(outputs);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.layerNormBackward(
          outputs.getFirst(),
          scaled ? outputs.get(1) : null,
          shifted ? outputs.getLast() : null,
          inputs.get(0),
          inputs.get(1),
          centered ? inputs.get(3) : null,
          inputs.get(2),
          scaled ? inputs.getLast() : null);
    }

    @Override
    public boolean inPlace(int output, int input) {
      return output == 0 && input == 0;
    }
  }
}
