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

/// Batch normalisation over all axes but the last, in its training form.
///
/// Inputs x [...,C], gamma, beta, running mean, running variance [C] and, with a residual, residual
/// [...,C] and, with given moments, moments [2,C], the mean and the variance of x, as [Conv2d]
/// gives them; that form has no gradient. Outputs y [...,C], mean, inverse standard deviation, new
/// running mean, new running variance [C].
///
/// @param momentum the share of the new batch in the running estimates
/// @param epsilon added to the variance
/// @param residual whether there is a residual, added before the activation
/// @param moments whether the moments of x are given
/// @param activation applied last
public record BatchNormTraining(
    double momentum, double epsilon, boolean residual, boolean moments, Activation activation)
    implements Op {
  /// Without given moments.
  public BatchNormTraining(
      double momentum, double epsilon, boolean residual, Activation activation) {
    this(momentum, epsilon, residual, false, activation);
  }

  /// Checks the ranges.
  public BatchNormTraining {
    Checks.attribute(
        momentum >= 0 && momentum <= 1, "batch_norm_training", "a momentum in [0, 1]", momentum);
    checkEpsilon("batch_norm_training", epsilon);
  }

  /// The same with a residual.
  public BatchNormTraining withResidual() {
    return new BatchNormTraining(momentum, epsilon, true, moments, activation);
  }

  /// The same with given moments.
  public BatchNormTraining withMoments() {
    return new BatchNormTraining(momentum, epsilon, residual, true, activation);
  }

  /// The same with another activation.
  public BatchNormTraining with(Activation other) {
    return new BatchNormTraining(momentum, epsilon, residual, moments, other);
  }

  @Override
  public String name() {
    return "batch_norm_training";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 5 + (residual ? 1 : 0) + (moments ? 1 : 0));
    TensorType channel = check(name(), inputs, 1, 4);
    TensorType x = inputs.getFirst();
    if (residual) {
      Checks.shape(name(), "residual", inputs.get(5), x.shape());
    }
    if (moments) {
      Checks.shape(name(), "moments", inputs.getLast(), Shape.of(2, x.shape().dim(-1)));
    }
    long rows = channel.shape().count() == 0 ? 0 : x.shape().count() / channel.shape().count();
    if (rows < 2) {
      throw new ShapeException(
          ("[batch_norm_training] a batch's variance needs at least 2 values per channel,"
                  + " found %d in %s")
              .formatted(rows, x));
    }
    return List.of(x, channel, channel, channel, channel);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.batchNormTraining(
        outputs.get(0),
        outputs.get(1),
        outputs.get(2),
        outputs.get(3),
        outputs.get(4),
        inputs.get(0),
        inputs.get(1),
        inputs.get(2),
        residual ? inputs.get(5) : null,
        moments ? inputs.getLast() : null,
        inputs.get(3),
        inputs.get(4),
        momentum,
        epsilon,
        activation);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    if (moments) {
      throw new UnsupportedOperationException("[batch_norm_training] fused with given moments");
    }
    boolean gated = activation == Activation.RELU;
    List<Tensor> operands = new ArrayList<>();
    operands.add(at.gradient());
    operands.add(at.input(0));
    operands.add(at.output(1));
    operands.add(at.output(2));
    operands.add(at.input(1));
    if (gated) {
      operands.add(at.output(0));
    }
    List<? extends Tensor> results = Tensor.applyAll(new Backward(residual, activation), operands);
    List<@Nullable Tensor> gradients = new ArrayList<>(results.subList(0, 3));
    gradients.add(null);
    gradients.add(null);
    if (residual) {
      gradients.add(results.get(3));
    }
    return gradients;
  }

  static void checkEpsilon(String op, double epsilon) {
    Checks.attribute(
        epsilon >= 0 && Double.isFinite(epsilon), op, "a finite epsilon of at least 0", epsilon);
  }

  /// Checks x and that inputs `from..to` are [C], in F32 if the others are BF16; returns the type
  /// of those.
  static TensorType check(String op, List<TensorType> inputs, int from, int to) {
    List<TensorType> stored = new ArrayList<>(inputs.subList(0, from));
    stored.addAll(inputs.subList(to + 1, inputs.size()));
    Checks.floating(op, stored, inputs.subList(from, to + 1));
    TensorType x = inputs.getFirst();
    if (x.shape().rank() < 2) {
      throw new ShapeException("[%s] expected x [...,C], found %s".formatted(op, x));
    }
    TensorType channel = Checks.wide(x.with(Shape.of(x.shape().dim(-1))));
    for (int i = from; i <= to; i++) {
      Checks.shape(op, "one value per channel", inputs.get(i), channel.shape());
    }
    return channel;
  }

  /// The gradient. Inputs dy, x [...,C], mean, inverse standard deviation, gamma [C] and, with an
  /// activation, y and, with given sums, sums [2,C] as [Conv2d.BackwardData] gives them. Outputs dx
  /// [...,C], dgamma, dbeta [C] and, with a residual, dresidual [...,C].
  ///
  /// @param residual whether there is a fourth output
  /// @param sums whether the sums over the batch are given
  /// @param activation that the forward op applied
  public record Backward(boolean residual, boolean sums, Activation activation) implements Op {
    /// Without given sums.
    public Backward(boolean residual, Activation activation) {
      this(residual, false, activation);
    }

    /// The same with given sums.
    public Backward withSums() {
      return new Backward(residual, true, activation);
    }

    @Override
    public String name() {
      return "batch_norm_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      boolean gated = activation != Activation.NONE;
      Checks.arity(name(), inputs, 5 + (gated ? 1 : 0) + (sums ? 1 : 0));
      TensorType channel = check(name(), inputs, 2, 4);
      TensorType dy = inputs.getFirst();
      Checks.shape(name(), "x", inputs.get(1), dy.shape());
      if (gated) {
        Checks.shape(name(), "y", inputs.get(5), dy.shape());
      }
      if (sums) {
        Checks.shape(name(), "sums", inputs.getLast(), Shape.of(2, dy.shape().dim(-1)));
      }
      return residual ? List.of(dy, channel, channel, dy) : List.of(dy, channel, channel);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.batchNormBackward(
          outputs.get(0),
          outputs.get(1),
          outputs.get(2),
          residual ? outputs.get(3) : null,
          inputs.get(0),
          inputs.get(1),
          activation == Activation.NONE ? null : inputs.get(5),
          inputs.get(2),
          inputs.get(3),
          inputs.get(4),
          sums ? inputs.getLast() : null,
          activation);
    }

    @Override
    public boolean inPlace(int output, int input) {
      return input == 0 && output == (residual ? 3 : 0);
    }
  }
}
