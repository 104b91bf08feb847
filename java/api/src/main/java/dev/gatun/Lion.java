package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.graph.op.AdaptiveStep;
import java.util.List;

/// Lion (Chen et al. 2023): every element moves by the same amount, the sign of a mean. Element by
/// element:
///
///     parameter = (1 - learningRate · weightDecay) · parameter
///     parameter -= learningRate · sign(beta1 · m + (1 - beta1) · gradient)
///     m = beta2 · m + (1 - beta2) · gradient
///
/// Keeps one number per parameter. The paper advises a rate three to ten times smaller than
/// AdamW's, and a weight decay as many times larger.
///
/// @param learningRate greater than 0
/// @param beta1 the share of the mean in the step, in [0, 1), 0.9 by default
/// @param beta2 how much of the mean stays, in [0, 1), 0.99 by default
/// @param weightDecay decoupled, not negative, 0 by default
public record Lion(double learningRate, double beta1, double beta2, double weightDecay)
    implements Optimizer {
  /// Checks the ranges.
  public Lion {
    Hyperparameters.learningRate("lion", learningRate);
    Hyperparameters.share("lion", "beta1", beta1);
    Hyperparameters.share("lion", "beta2", beta2);
    Hyperparameters.weightDecay("lion", weightDecay);
  }

  /// The same with other shares of the mean.
  public Lion betas(double newBeta1, double newBeta2) {
    return new Lion(learningRate, newBeta1, newBeta2, weightDecay);
  }

  /// The same with another decay of the parameter itself.
  public Lion weightDecay(double newWeightDecay) {
    return new Lion(learningRate, beta1, beta2, newWeightDecay);
  }

  @Override
  public Lion withoutWeightDecay() {
    return weightDecay(0);
  }

  /// The mean of gradients.
  @Override
  public int stateSlots() {
    return 1;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    double unused = 1;
    AdaptiveStep op =
        new AdaptiveStep(
            new Backend.Adaptive(AdaptiveRule.LION, beta1, beta2, unused, weightDecay, true));
    return List.copyOf(
        Tensor.applyAll(op, List.of(parameter, gradient, rate, step, states.getFirst())));
  }
}
