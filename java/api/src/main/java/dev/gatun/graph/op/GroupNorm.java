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

/// Group normalisation. Inputs x [N,...,C], floating, gamma and beta [C], wide. Outputs y
/// [N,...,C], mean and inverse standard deviation [N,groups], wide.
///
/// @param groups parts of neighbouring channels
/// @param epsilon added to the variance
public record GroupNorm(int groups, double epsilon) implements Op {
  /// Checks the ranges.
  public GroupNorm {
    Checks.attribute(groups >= 1, "group_norm", "at least 1 group", groups);
    BatchNormTraining.checkEpsilon("group_norm", epsilon);
  }

  @Override
  public String name() {
    return "group_norm";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 3);
    Checks.floating(name(), inputs.subList(0, 1), inputs.subList(1, 3));
    TensorType x = inputs.getFirst();
    TensorType group = group(name(), x, groups);
    for (TensorType parameter : inputs.subList(1, 3)) {
      Checks.shape(name(), "one value per channel", parameter, Shape.of(x.shape().dim(-1)));
    }
    return List.of(x, group, group);
  }

  /// The type of the groups' statistics.
  private static TensorType group(String op, TensorType x, int groups) {
    Shape shape = x.shape();
    if (shape.rank() < 2 || shape.dim(-1) < 1 || shape.dim(-1) % groups != 0) {
      throw new ShapeException(
          "[%s] expected x [N,...,C] with %d groups of channels, found %s"
              .formatted(op, groups, x));
    }
    if (shape.dim(0) > 0 && shape.count() == 0) {
      throw new ShapeException(
          "[%s] expected groups of at least one value, found %s".formatted(op, x));
    }
    return Checks.wide(x.with(Shape.of(shape.dim(0), groups)));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.groupNorm(
        outputs.get(0),
        outputs.get(1),
        outputs.get(2),
        inputs.get(0),
        inputs.get(1),
        inputs.get(2),
        groups,
        epsilon);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<Tensor> operands =
        List.of(at.gradient(), at.input(0), at.output(1), at.output(2), at.input(1));
    return new ArrayList<>(Tensor.applyAll(new Backward(groups), operands));
  }

  /// The gradient. Inputs dy, x [N,...,C], mean, inverse standard deviation [N,groups] and gamma
  /// [C]. Outputs dx [N,...,C], dgamma and dbeta [C].
  ///
  /// @param groups as in the forward op
  public record Backward(int groups) implements Op {
    /// Checks the range.
    public Backward {
      Checks.attribute(groups >= 1, "group_norm_backward", "at least 1 group", groups);
    }

    @Override
    public String name() {
      return "group_norm_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 5);
      Checks.floating(name(), inputs.subList(0, 2), inputs.subList(2, 5));
      TensorType dy = inputs.getFirst();
      Checks.shape(name(), "x", inputs.get(1), dy.shape());
      TensorType group = group(name(), dy, groups);
      Checks.shape(name(), "one value per group", inputs.get(2), group.shape());
      Checks.shape(name(), "one value per group", inputs.get(3), group.shape());
      TensorType channel = Checks.wide(dy.with(Shape.of(dy.shape().dim(-1))));
      Checks.shape(name(), "one value per channel", inputs.get(4), channel.shape());
      return List.of(dy, channel, channel);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.groupNormBackward(
          outputs.get(0),
          outputs.get(1),
          outputs.get(2),
          inputs.get(0),
          inputs.get(1),
          inputs.get(2),
          inputs.get(3),
          inputs.get(4),
          groups);
    }

    @Override
    public boolean inPlace(int output, int input) {
      return output == 0 && input == 0;
    }
  }
}
