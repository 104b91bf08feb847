package dev.gatun.search;

import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;

/// Parameters that are worth trying, with the ranges that the lectures name where they do. What to
/// play with first is the learning rate, its decay and the kind of update; then the regularisation
/// by weight decay and dropout; and the architecture, for which [Parameter#whole] counts layers and
/// units.
public final class Presets {
  private Presets() {}

  /// `lr`, 1e-4 to 1e-1.
  public static Parameter<Double> learningRate() {
    return Parameter.logUniform("lr", 1e-4, 1e-1);
  }

  /// `reg`, a weight decay from 1e-6 to 1e-2.
  public static Parameter<Double> weightDecay() {
    return Parameter.logUniform("reg", 1e-6, 1e-2);
  }

  /// `reg`, a weight decay of 1e-4, 1e-5 or none: what a first grid takes.
  public static Parameter<Double> fewWeightDecays() {
    return Parameter.choice("reg", 1e-4, 1e-5, 0.0);
  }

  /// `dropout`, a share of elements that are dropped, from none to a half.
  public static Parameter<Double> dropout() {
    return Parameter.uniform("dropout", 0, 0.5);
  }

  /// `update`, the kind of update. Adam's learning rates are smaller than those of momentum, so
  /// search these along with it.
  public static Parameter<Update> update() {
    return Parameter.choice("update", Update.values());
  }

  /// `decay`, how the learning rate falls.
  public static Parameter<Decay> decay() {
    return Parameter.choice("decay", Decay.values());
  }

  /// A kind of update.
  public enum Update {
    /// SGD with momentum 0.9.
    MOMENTUM,
    /// SGD with Nesterov momentum 0.9.
    NESTEROV,
    /// RMSProp.
    RMSPROP,
    /// Adam with a decoupled weight decay.
    ADAM;

    /// The optimizer.
    public Optimizer of(double learningRate, double weightDecay) {
      Optimizer.Sgd sgd = Optimizer.sgd(learningRate).weightDecay(weightDecay);
      return switch (this) {
        case MOMENTUM -> sgd.momentum(0.9);
        case NESTEROV -> sgd.nesterov(0.9);
        case RMSPROP -> Optimizer.rmsProp(learningRate).weightDecay(weightDecay);
        case ADAM -> Optimizer.adam(learningRate).decoupledWeightDecay(weightDecay);
      };
    }
  }

  /// How a learning rate falls over a run.
  public enum Decay {
    /// Not at all, as suits short trials.
    NONE,
    /// To a tenth after half of the run, and again after three quarters.
    STEPS,
    /// Along half a cosine to 0.
    COSINE;

    /// The schedule.
    public Schedule schedule() {
      return switch (this) {
        case NONE -> Schedule.constant();
        case STEPS ->
            moment ->
                Schedule.stepDecay(0.1).at(share(moment, 0.5), share(moment, 0.75)).factor(moment);
        case COSINE -> Schedule.cosine();
      };
    }

    private static Span share(Schedule.Moment moment, double share) {
      return Span.steps(Math.round(share * moment.totalSteps()));
    }
  }
}
