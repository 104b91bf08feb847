package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.AdamStep;
import dev.gatun.graph.op.Full;
import dev.gatun.graph.op.Norm;
import java.util.List;

/// LAMB (You et al. 2020): Adam whose step is scaled, for each parameter tensor W, to the norm of W;
/// made for very large batches.
///
///     u = Adam's direction m̂ / (√v̂ + epsilon)
///     r = u + weightDecay · W
///     W -= learningRate · (‖W‖ / ‖r‖) · r            (the ratio is 1 where a norm is 0)
///
/// @param learningRate greater than 0
/// @param beta1 in [0, 1), 0.9 by default
/// @param beta2 in [0, 1), 0.999 by default
/// @param epsilon greater than 0, 1e-6 by default
/// @param weightDecay not negative, 0.01 by default
public record Lamb(
    double learningRate, double beta1, double beta2, double epsilon, double weightDecay)
    implements Optimizer {
  /// Checks the ranges.
  public Lamb {
    Hyperparameters.learningRate("lamb", learningRate);
    Hyperparameters.share("lamb", "beta1", beta1);
    Hyperparameters.share("lamb", "beta2", beta2);
    Hyperparameters.epsilon("lamb", epsilon);
    Hyperparameters.weightDecay("lamb", weightDecay);
  }

  /// The same with other shares of the old means.
  public Lamb betas(double newBeta1, double newBeta2) {
    return new Lamb(learningRate, newBeta1, newBeta2, epsilon, weightDecay);
  }

  /// The same with another weight decay.
  public Lamb weightDecay(double newWeightDecay) {
    return new Lamb(learningRate, beta1, beta2, epsilon, newWeightDecay);
  }

  @Override
  public Lamb withoutWeightDecay() {
    return weightDecay(0);
  }

  @Override
  public Granularity granularity() {
    return Granularity.PARAMETER;
  }

  /// The means of gradients and of their squares.
  @Override
  public int stateSlots() {
    return 2;
  }

  /// Adam's direction is what Adam makes of a parameter at 0 with a rate of -1.
  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    AdamStep adam = new AdamStep(new Backend.Adam(beta1, beta2, epsilon, 0, false));
    List<? extends Tensor> moved =
        Tensor.applyAll(
            adam,
            List.of(
                filled(parameter, parameter.shape(), 0),
                gradient,
                filled(parameter, Shape.scalar(), -1),
                step,
                states.get(0),
                states.get(1)));
    Tensor direction = moved.getFirst();
    if (weightDecay != 0) {
      direction = direction.plus(parameter.times(weightDecay));
    }
    Tensor size = Tensor.apply(new Norm(), parameter);
    Tensor length = Tensor.apply(new Norm(), direction);
    Tensor both = size.times(length);
    Tensor ratio = size.div(length).where(both).plus(both.sign().times(-1).plus(1));
    Tensor next = parameter.minus(direction.times(ratio.times(rate)));
    return List.of(next, moved.get(1), moved.get(2));
  }

  private static Tensor filled(Tensor like, Shape shape, double value) {
    if (like instanceof Value symbol) {
      Full op = new Full(new TensorType(like.dtype(), shape), value);
      return symbol.graph().apply(op, List.of()).getFirst();
    }
    return Tensor.full(like.device(), like.dtype(), value, shape.toArray());
  }
}
