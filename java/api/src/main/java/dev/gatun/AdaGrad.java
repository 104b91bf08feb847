package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.graph.op.AdaptiveStep;
import java.util.List;

/// AdaGrad (Duchi et al. 2011): each parameter's rate falls with the squares of all its gradients.
/// Element by element:
///
///     d = gradient + weightDecay · parameter
///     r = r + d²
///     parameter -= learningRate · d / (√r + epsilon)
///
/// The sum only grows, so steps fade as 1/√t: good when convex, too soon at rest otherwise. Epsilon
/// outside the root as in the lectures (1e-7 there) and PyTorch (1e-10); Keras puts it inside.
///
/// @param learningRate greater than 0; the lectures use 0.01
/// @param epsilon greater than 0, 1e-8 by default
/// @param weightDecay added to the gradient, not negative
public record AdaGrad(double learningRate, double epsilon, double weightDecay)
    implements Optimizer {
  /// Checks the ranges.
  public AdaGrad {
    Hyperparameters.learningRate("adaGrad", learningRate);
    Hyperparameters.epsilon("adaGrad", epsilon);
    Hyperparameters.weightDecay("adaGrad", weightDecay);
  }

  /// The same with another number added to the root.
  public AdaGrad epsilon(double newEpsilon) {
    return new AdaGrad(learningRate, newEpsilon, weightDecay);
  }

  /// The same with `newWeightDecay · parameter` added to the gradient.
  public AdaGrad weightDecay(double newWeightDecay) {
    return new AdaGrad(learningRate, epsilon, newWeightDecay);
  }

  @Override
  public AdaGrad withoutWeightDecay() {
    return weightDecay(0);
  }

  /// The sum of squares.
  @Override
  public int stateSlots() {
    return 1;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    AdaptiveStep op =
        new AdaptiveStep(
            new Backend.Adaptive(AdaptiveRule.ADAGRAD, 0, 0, epsilon, weightDecay, false));
    return List.copyOf(
        Tensor.applyAll(op, List.of(parameter, gradient, rate, step, states.getFirst())));
  }
}
