package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.op.SgdStep;
import java.util.ArrayList;
import java.util.List;

/// How parameters follow their gradients. One pass over all parameters at once, as a flat slab, or
/// parameter by parameter where the rule needs matrices. Rules and numbers per parameter are
/// [ParameterGroups].
///
/// Where the literature differs, rules follow PyTorch: epsilon is added to the root, after the
/// correction of its bias.
public interface Optimizer {
  /// The learning rate before any schedule.
  double learningRate();

  /// How many numbers the optimizer keeps for each parameter.
  int stateSlots();

  /// What `step` is called with.
  default Granularity granularity() {
    return Granularity.SLAB;
  }

  /// The same rule without weight decay.
  default Optimizer withoutWeightDecay() {
    return this;
  }

  /// The new parameters, followed by the new states. A new value may be stored over the old one as
  /// soon as it is computed, so nothing may read an old value after a node that makes its new one.
  ///
  /// @param parameter all parameters, `[P]`, or one, by [#granularity]
  /// @param gradient the gradient of the loss, of the same shape
  /// @param learningRate after the schedule, a scalar
  /// @param step how many steps were done before, an I64 scalar
  /// @param states [#stateSlots] tensors of the same shape, zeros at the start
  List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor learningRate, Tensor step, List<Tensor> states);

  /// What a step is applied to.
  enum Granularity {
    /// Any number of parameters one after the other, as one vector.
    SLAB,
    /// One parameter in its own shape.
    PARAMETER
  }

  /// Stochastic gradient descent with this learning rate, without momentum.
  static Sgd sgd(double learningRate) {
    return new Sgd(learningRate, 0, 0, 0, Momentum.CLASSIC, Velocity.OF_GRADIENTS);
  }

  /// Adam with this learning rate and no weight decay.
  static Adam adam(double learningRate) {
    return new Adam(learningRate, 0.9, 0.999, 1e-8, 0, Adam.WeightDecay.L2, Adam.Form.PLAIN);
  }

  /// AdamW: Adam with a decoupled weight decay of 0.01.
  static Adam adamW(double learningRate) {
    return adam(learningRate).decoupledWeightDecay(0.01);
  }

  /// Adam that divides by the greatest mean square so far (Reddi et al. 2018).
  static Adam amsGrad(double learningRate) {
    return adam(learningRate).form(Adam.Form.AMSGRAD);
  }

  /// Adam with Nesterov's look-ahead (Dozat 2016).
  static Adam nAdam(double learningRate) {
    return adam(learningRate).form(Adam.Form.NESTEROV);
  }

  /// AdaGrad; the lectures' rate is 0.01.
  static AdaGrad adaGrad(double learningRate) {
    return new AdaGrad(learningRate, 1e-8, 0);
  }

  /// RMSProp that keeps 0.99 of the old mean square, without momentum.
  static RmsProp rmsProp(double learningRate) {
    return new RmsProp(learningRate, 0.99, 1e-8, 0, 0);
  }

  /// Lion; its rate is three to ten times smaller than Adam's.
  static Lion lion(double learningRate) {
    return new Lion(learningRate, 0.9, 0.99, 0);
  }

  /// LAMB with a weight decay of 0.01.
  static Lamb lamb(double learningRate) {
    return new Lamb(learningRate, 0.9, 0.999, 1e-6, 0.01);
  }

  /// Muon with momentum 0.95 and a weight decay of 0.1, for matrices.
  static Muon muon(double learningRate) {
    return new Muon(learningRate, 0.95, 0.1, 5, Muon.Scale.SPECTRAL);
  }

  /// The two forms of momentum.
  enum Momentum {
    /// The step is the velocity.
    CLASSIC,
    /// The step looks ahead along the velocity.
    NESTEROV
  }

  /// What a velocity adds up.
  enum Velocity {
    /// Gradients, and the step multiplies by the rate of today (PyTorch).
    OF_GRADIENTS,
    /// Steps, each with the rate of its day (Sutskever et al. 2013, Keras, DJL).
    OF_STEPS
  }

  /// SGD in PyTorch's form, the rate outside the velocity:
  ///
  ///     d = gradient + weightDecay · parameter
  ///     v = momentum · v + (1 - dampening) · d
  ///     parameter -= learningRate · v          (Nesterov: d + momentum · v)
  ///
  /// Velocities start as zeros; PyTorch's first is d itself, without dampening.
  ///
  /// With [Velocity#OF_STEPS] d is multiplied by the rate and v is not. Both forms do the same while
  /// the rate is constant, up to a factor in v; after a change of the rate they differ, for the
  /// second keeps the old rates. The literature states the one or the other and calls them equal.
  ///
  /// Nesterov's momentum is written with the gradient at the stored parameters, which are the
  /// look-ahead point θ + momentum · v of the original form (Nesterov 1983; Bengio et al. 2013).
  ///
  /// @param learningRate greater than 0
  /// @param momentum in [0, 1); 0 keeps no velocity
  /// @param dampening in [0, 1]
  /// @param weightDecay not negative
  /// @param form of the momentum
  /// @param velocity what it adds up
  record Sgd(
      double learningRate,
      double momentum,
      double dampening,
      double weightDecay,
      Momentum form,
      Velocity velocity)
      implements Optimizer {
    /// Checks the ranges.
    public Sgd {
      Hyperparameters.learningRate("sgd", learningRate);
      Hyperparameters.share("sgd", "a momentum", momentum);
      Hyperparameters.require(
          "sgd", dampening >= 0 && dampening <= 1, "a dampening in [0, 1]", dampening);
      Hyperparameters.weightDecay("sgd", weightDecay);
      if (form == Momentum.NESTEROV && (momentum == 0 || dampening != 0)) {
        throw new IllegalArgumentException(
            "[sgd] Nesterov needs a momentum greater than 0 and no dampening");
      }
    }

    /// The same with classic momentum.
    public Sgd momentum(double newMomentum) {
      return new Sgd(learningRate, newMomentum, dampening, weightDecay, form, velocity);
    }

    /// The same with Nesterov momentum.
    public Sgd nesterov(double newMomentum) {
      return new Sgd(
          learningRate, newMomentum, dampening, weightDecay, Momentum.NESTEROV, velocity);
    }

    /// The same with another dampening.
    public Sgd dampening(double newDampening) {
      return new Sgd(learningRate, momentum, newDampening, weightDecay, form, velocity);
    }

    /// The same with `newWeightDecay · parameter` added to the gradient, on all parameters.
    public Sgd weightDecay(double newWeightDecay) {
      return new Sgd(learningRate, momentum, dampening, newWeightDecay, form, velocity);
    }

    /// The same with the rate inside the velocity.
    public Sgd rateInVelocity() {
      return new Sgd(learningRate, momentum, dampening, weightDecay, form, Velocity.OF_STEPS);
    }

    @Override
    public Sgd withoutWeightDecay() {
      return weightDecay(0);
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
          new SgdStep(
              new Backend.Sgd(
                  momentum,
                  dampening,
                  weightDecay,
                  form == Momentum.NESTEROV,
                  velocity == Velocity.OF_STEPS));
      return List.copyOf(Tensor.applyAll(op, inputs));
    }
  }
}
