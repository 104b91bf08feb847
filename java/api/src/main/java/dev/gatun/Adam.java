package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.op.AdamStep;
import java.util.List;

/// Adam (Kingma and Ba, 2015): steps along the mean of gradients, divided by the root of the mean of
/// their squares. With t = 1, 2, … and all of it element by element:
///
///     d = gradient                             (L2: gradient + weightDecay · parameter)
///     m = beta1 · m + (1 - beta1) · d
///     v = beta2 · v + (1 - beta2) · d²
///     parameter -= learningRate · (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + epsilon)
///
/// Decoupled weight decay (AdamW; Loshchilov and Hutter, 2019) shrinks the parameter itself first,
/// by the factor `1 - learningRate · weightDecay`. In PyTorch's form, epsilon outside the root of the
/// corrected mean; the paper's shorter form, which PyTorch and others do not use, scales epsilon too.
///
/// @param learningRate greater than 0
/// @param beta1 in [0, 1), 0.9 by default
/// @param beta2 in [0, 1), 0.999 by default
/// @param epsilon greater than 0, 1e-8 by default
/// @param weightDecay not negative, 0 by default
/// @param decay how the decay acts
public record Adam(
    double learningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    WeightDecay decay)
    implements Optimizer {
  /// How a weight decay acts.
  public enum WeightDecay {
    /// As the gradient of `weightDecay / 2 · ‖parameter‖²`.
    L2,
    /// On the parameter itself.
    DECOUPLED
  }

  /// Checks the ranges.
  public Adam {
    check(learningRate > 0, "a learning rate greater than 0", learningRate);
    check(beta1 >= 0 && beta1 < 1, "beta1 in [0, 1)", beta1);
    check(beta2 >= 0 && beta2 < 1, "beta2 in [0, 1)", beta2);
    check(epsilon > 0 && Double.isFinite(epsilon), "an epsilon greater than 0", epsilon);
    check(
        weightDecay >= 0 && Double.isFinite(weightDecay),
        "a weight decay of at least 0",
        weightDecay);
  }

  private static void check(boolean holds, String expected, double found) {
    if (!holds) {
      throw new IllegalArgumentException("[adam] expected %s, found %s".formatted(expected, found));
    }
  }

  /// The same with other shares of the old means.
  public Adam betas(double newBeta1, double newBeta2) {
    return new Adam(learningRate, newBeta1, newBeta2, epsilon, weightDecay, decay);
  }

  /// The same with another number added to the root.
  public Adam epsilon(double newEpsilon) {
    return new Adam(learningRate, beta1, beta2, newEpsilon, weightDecay, decay);
  }

  /// The same with `newWeightDecay · parameter` added to the gradient.
  public Adam weightDecay(double newWeightDecay) {
    return new Adam(learningRate, beta1, beta2, epsilon, newWeightDecay, WeightDecay.L2);
  }

  /// The same with a decay of the parameter itself.
  public Adam decoupledWeightDecay(double newWeightDecay) {
    return new Adam(learningRate, beta1, beta2, epsilon, newWeightDecay, WeightDecay.DECOUPLED);
  }

  /// The means of gradients and of their squares.
  @Override
  public int stateSlots() {
    return 2;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    AdamStep op =
        new AdamStep(
            new Backend.Adam(beta1, beta2, epsilon, weightDecay, decay == WeightDecay.DECOUPLED));
    return List.copyOf(
        Tensor.applyAll(
            op, List.of(parameter, gradient, rate, step, states.get(0), states.get(1))));
  }
}
