package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.graph.op.AdaptiveStep;
import java.util.ArrayList;
import java.util.List;

/// RMSProp (Tieleman and Hinton 2012), the "leaky AdaGrad": squares of gradients are forgotten.
/// Element by element:
///
///     d = gradient + weightDecay · parameter
///     r = decay · r + (1 - decay) · d²
///     q = d / (√r + epsilon)
///     v = momentum · v + q                          (without momentum: q itself)
///     parameter -= learningRate · v
///
/// Epsilon outside the root as in the lectures and PyTorch; Keras puts it inside. The lectures name
/// no decay; Hinton's was 0.9.
///
/// @param learningRate greater than 0
/// @param decay how much of the mean square stays, in [0, 1), 0.99 by default
/// @param epsilon greater than 0, 1e-8 by default
/// @param momentum in [0, 1), 0 by default
/// @param weightDecay added to the gradient, not negative
public record RmsProp(
    double learningRate, double decay, double epsilon, double momentum, double weightDecay)
    implements Optimizer {
  /// Checks the ranges.
  public RmsProp {
    Hyperparameters.learningRate("rmsProp", learningRate);
    Hyperparameters.share("rmsProp", "a decay", decay);
    Hyperparameters.epsilon("rmsProp", epsilon);
    Hyperparameters.share("rmsProp", "a momentum", momentum);
    Hyperparameters.weightDecay("rmsProp", weightDecay);
  }

  /// The same with another share of the old mean square.
  public RmsProp decay(double newDecay) {
    return new RmsProp(learningRate, newDecay, epsilon, momentum, weightDecay);
  }

  /// The same with another number added to the root.
  public RmsProp epsilon(double newEpsilon) {
    return new RmsProp(learningRate, decay, newEpsilon, momentum, weightDecay);
  }

  /// The same with momentum.
  public RmsProp momentum(double newMomentum) {
    return new RmsProp(learningRate, decay, epsilon, newMomentum, weightDecay);
  }

  /// The same with `newWeightDecay · parameter` added to the gradient.
  public RmsProp weightDecay(double newWeightDecay) {
    return new RmsProp(learningRate, decay, epsilon, momentum, newWeightDecay);
  }

  @Override
  public RmsProp withoutWeightDecay() {
    return weightDecay(0);
  }

  /// With momentum the velocity, and the mean square.
  @Override
  public int stateSlots() {
    return momentum == 0 ? 1 : 2;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    AdaptiveStep op =
        new AdaptiveStep(
            new Backend.Adaptive(
                AdaptiveRule.RMSPROP, momentum, decay, epsilon, weightDecay, false));
    List<Tensor> inputs = new ArrayList<>(List.of(parameter, gradient, rate, step));
    inputs.addAll(states);
    return List.copyOf(Tensor.applyAll(op, inputs));
  }
}
