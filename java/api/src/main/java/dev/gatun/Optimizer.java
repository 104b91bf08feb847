package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.op.SgdStep;
import java.util.ArrayList;
import java.util.List;

/// How parameters follow their gradients. One pass over all parameters at once, as a flat slab.
public interface Optimizer {
  /// The learning rate before any schedule.
  double learningRate();

  /// How many numbers the optimizer keeps for each parameter.
  int stateSlots();

  /// The new parameters, followed by the new states.
  ///
  /// @param parameter all parameters, `[P]`
  /// @param gradient the gradient of the loss, `[P]`
  /// @param learningRate after the schedule, a scalar
  /// @param step how many steps were done before, an I64 scalar
  /// @param states [#stateSlots] tensors `[P]`, zeros at the start
  List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor learningRate, Tensor step, List<Tensor> states);

  /// Stochastic gradient descent with this learning rate, without momentum.
  static Sgd sgd(double learningRate) {
    return new Sgd(learningRate, 0, 0, 0, Momentum.CLASSIC);
  }

  /// Adam with this learning rate and no weight decay.
  static Adam adam(double learningRate) {
    return new Adam(learningRate, 0.9, 0.999, 1e-8, 0, Adam.WeightDecay.L2);
  }

  /// AdamW: Adam with a decoupled weight decay of 0.01.
  static Adam adamW(double learningRate) {
    return adam(learningRate).decoupledWeightDecay(0.01);
  }

  /// The two forms of momentum.
  enum Momentum {
    /// The step is the velocity.
    CLASSIC,
    /// The step looks ahead along the velocity.
    NESTEROV
  }

  /// SGD in PyTorch's form, the rate outside the velocity:
  ///
  ///     d = gradient + weightDecay · parameter
  ///     v = momentum · v + (1 - dampening) · d
  ///     parameter -= learningRate · v          (Nesterov: d + momentum · v)
  ///
  /// @param learningRate greater than 0
  /// @param momentum in [0, 1); 0 keeps no velocity
  /// @param dampening in [0, 1]
  /// @param weightDecay not negative
  /// @param form of the momentum
  record Sgd(
      double learningRate, double momentum, double dampening, double weightDecay, Momentum form)
      implements Optimizer {
    /// Checks the ranges.
    public Sgd {
      if (!(learningRate > 0)) {
        throw new IllegalArgumentException(
            "[sgd] expected a learning rate greater than 0, found " + learningRate);
      }
      if (!(momentum >= 0 && momentum < 1)) {
        throw new IllegalArgumentException(
            "[sgd] expected a momentum in [0, 1), found " + momentum);
      }
      if (!(dampening >= 0 && dampening <= 1)) {
        throw new IllegalArgumentException(
            "[sgd] expected a dampening in [0, 1], found " + dampening);
      }
      if (!(weightDecay >= 0)) {
        throw new IllegalArgumentException(
            "[sgd] expected a weight decay of at least 0, found " + weightDecay);
      }
      if (form == Momentum.NESTEROV && (momentum == 0 || dampening != 0)) {
        throw new IllegalArgumentException(
            "[sgd] Nesterov needs a momentum greater than 0 and no dampening");
      }
    }

    /// The same with classic momentum.
    public Sgd momentum(double newMomentum) {
      return new Sgd(learningRate, newMomentum, dampening, weightDecay, form);
    }

    /// The same with Nesterov momentum.
    public Sgd nesterov(double newMomentum) {
      return new Sgd(learningRate, newMomentum, dampening, weightDecay, Momentum.NESTEROV);
    }

    /// The same with another dampening.
    public Sgd dampening(double newDampening) {
      return new Sgd(learningRate, momentum, newDampening, weightDecay, form);
    }

    /// The same with `newWeightDecay · parameter` added to the gradient, on all parameters.
    public Sgd weightDecay(double newWeightDecay) {
      return new Sgd(learningRate, momentum, dampening, newWeightDecay, form);
    }

    @Override
    public int stateSlots() {
      return momentum == 0 ? 0 : 1;
    }

    @Override
    public List<Tensor> step(
        Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
      List<Tensor> inputs = new ArrayList<>(List.of(parameter, gradient, rate));
      inputs.addAll(states);
      SgdStep op =
          new SgdStep(new Backend.Sgd(momentum, dampening, weightDecay, form == Momentum.NESTEROV));
      return List.copyOf(Tensor.applyAll(op, inputs));
    }
  }
}
