package dev.gatun;

import java.util.List;

/// How the learning rate changes: a factor on the optimizer's rate, a function of the step.
/// Functions compose:
///
/// ```java
/// stepDecay(0.1).at(epochs(82), epochs(123)).warmup(steps(400))
/// ```
@FunctionalInterface
public interface Schedule {
  /// The factor at a moment.
  double factor(Moment moment);

  /// A moment of training.
  ///
  /// @param step optimizer steps done, from 0
  /// @param stepsPerEpoch steps in a pass over the training set
  /// @param totalSteps steps of the whole training
  record Moment(long step, long stepsPerEpoch, long totalSteps) {}

  /// Always 1.
  static Schedule constant() {
    return moment -> 1;
  }

  /// Multiplied by `factor` at each of the moments that [StepDecay#at] names.
  static StepDecay stepDecay(double factor) {
    return new StepDecay(factor, List.of());
  }

  /// From 1 down to 0 along half a cosine: ½ (1 + cos(π t / T)).
  static Schedule cosine() {
    return moment ->
        0.5 * (1 + Math.cos(Math.PI * moment.step() / Math.max(1, moment.totalSteps())));
  }

  /// From 1 down to 0 along a line: 1 - t / T.
  static Schedule linear() {
    return moment -> 1 - (double) moment.step() / Math.max(1, moment.totalSteps());
  }

  /// This schedule, multiplied during the first `length` by a ramp: (t + 1) / length at step t.
  default Schedule warmup(Span length) {
    return moment -> {
      long steps = length.toSteps(moment.stepsPerEpoch());
      double ramp = moment.step() < steps ? (moment.step() + 1.0) / steps : 1;
      return ramp * factor(moment);
    };
  }

  /// See [#stepDecay].
  ///
  /// @param factor on the rate at each moment
  /// @param moments when
  record StepDecay(double factor, List<Span> moments) implements Schedule {
    /// Copies the list.
    public StepDecay {
      if (!(factor > 0)) {
        throw new IllegalArgumentException(
            "[stepDecay] expected a factor greater than 0, found " + factor);
      }
      moments = List.copyOf(moments);
    }

    /// The same factor at these moments.
    public StepDecay at(Span... newMoments) {
      return new StepDecay(factor, List.of(newMoments));
    }

    @Override
    public double factor(Moment moment) {
      double product = 1;
      for (Span at : moments) {
        if (moment.step() >= at.toSteps(moment.stepsPerEpoch())) {
          product *= factor;
        }
      }
      return product;
    }
  }
}
