package dev.gatun;

import java.util.List;

/// How the learning rate changes: a factor on the optimizer's rate, a function of the step `t`
/// (from 0) of `T` in all. Pure functions, which compose:
///
/// ```java
/// stepDecay(0.1).at(epochs(82), epochs(123)).warmup(steps(400))
/// linearWarmup(steps(500)).then(cosine().downTo(0.01))
/// ```
///
/// The literature counts in epochs or in steps as it pleases. Here everything is a function of the
/// step, and a [Span] says its unit.
@FunctionalInterface
public interface Schedule {
  /// The factor at a moment, finite and at least 0: training refuses others.
  double factor(Moment moment);

  /// A moment of training.
  ///
  /// @param step optimizer steps done, from 0
  /// @param stepsPerEpoch steps in a pass over the training set
  /// @param totalSteps steps of the whole training
  /// @param losses of the epochs that are done: on the test set if there is one, else in training
  record Moment(long step, long stepsPerEpoch, long totalSteps, List<Double> losses) {
    /// Copies the list.
    public Moment {
      losses = List.copyOf(losses);
    }

    /// A moment whose schedule does not ask for losses.
    public Moment(long step, long stepsPerEpoch, long totalSteps) {
      this(step, stepsPerEpoch, totalSteps, List.of());
    }

    /// The share of the training that is done: t / T.
    public double progress() {
      return (double) step / Math.max(1, totalSteps);
    }

    /// `span` in steps, as a divisor.
    private double steps(Span span) {
      return Math.max(1, span.toSteps(stepsPerEpoch));
    }

    /// This moment of a training that began at step `start` and lasts `length` steps.
    private Moment within(long start, long length) {
      int before = (int) Math.min(losses.size(), start / Math.max(1, stepsPerEpoch));
      return new Moment(step - start, stepsPerEpoch, length, losses.subList(before, losses.size()));
    }
  }

  // ---- Falling along a curve. ----

  /// Always 1.
  static Schedule constant() {
    return moment -> 1;
  }

  /// Multiplied by `factor` at each of the moments that [StepDecay#at] or [StepDecay#every] name.
  static StepDecay stepDecay(double factor) {
    return new StepDecay(factor, List.of());
  }

  /// From 1 down to 0 along half a cosine: ½ (1 + cos(π t / T)) (Loshchilov and Hutter 2017,
  /// without restarts).
  static Schedule cosine() {
    return moment -> halfCosine(moment.progress());
  }

  /// [#cosine] over a cycle of this length, then from 1 again, each cycle `stretch` times as long
  /// as the one before (SGDR, Loshchilov and Hutter 2017).
  ///
  /// @param stretch at least 1
  static Schedule cosineRestarts(Span cycle, int stretch) {
    if (stretch < 1) {
      throw new IllegalArgumentException(
          "[cosineRestarts] expected a stretch of at least 1, found " + stretch);
    }
    requirePositive("cosineRestarts", cycle);
    return moment -> {
      double length = moment.steps(cycle);
      double t = moment.step();
      while (t >= length) {
        t -= length;
        length *= stretch;
      }
      return halfCosine(t / length);
    };
  }

  /// From 1 down to 0 along a line: 1 - t / T.
  static Schedule linear() {
    return moment -> 1 - moment.progress();
  }

  /// (1 - t / T)^power.
  static Schedule polynomial(double power) {
    if (!(power > 0) || Double.isInfinite(power)) {
      throw new IllegalArgumentException(
          "[polynomial] expected a power greater than 0, found " + power);
    }
    return moment -> Math.pow(1 - moment.progress(), power);
  }

  /// exp(-t / timeConstant): the literature's exp(-k t) with k = 1 / timeConstant.
  static Schedule exponential(Span timeConstant) {
    requirePositive("exponential", timeConstant);
    return moment -> Math.exp(-moment.step() / moment.steps(timeConstant));
  }

  /// 1 / (1 + t / timeConstant): the literature's 1 / (1 + k t) with k = 1 / timeConstant.
  static Schedule inverseTime(Span timeConstant) {
    requirePositive("inverseTime", timeConstant);
    return moment -> 1 / (1 + moment.step() / moment.steps(timeConstant));
  }

  /// 1 for the first `flat` steps, then √(flat / (t + 1)). With `flat` of one step this is 1 / √t
  /// counted from 1 (counted from 0 it would start infinite); with `.warmup(flat)` behind it, the
  /// schedule of Vaswani et al. 2017.
  static Schedule inverseSquareRoot(Span flat) {
    requirePositive("inverseSquareRoot", flat);
    return moment -> {
      double length = moment.steps(flat);
      return Math.sqrt(length / Math.max(length, moment.step() + 1.0));
    };
  }

  /// Up from 1/25 to 1 in the first 30 % of the training and down to 4e-6 at its last step, both
  /// along half a cosine, so the optimizer's rate is the greatest (Smith and Topin 2018). The
  /// values are those of PyTorch's OneCycleLR by default.
  static Schedule oneCycle() {
    return new OneCycle(0.3, 25, 1e4);
  }

  /// Multiplied by `factor` when the loss has not become better for more than 10 epochs; see
  /// [ReduceOnPlateau].
  static ReduceOnPlateau reduceOnPlateau(double factor) {
    return new ReduceOnPlateau(factor, 10, 0, 1e-4);
  }

  // ---- Rising. ----

  /// From 0 up to 1 along a line: min(1, t / length).
  static LinearWarmup linearWarmup(Span length) {
    return new LinearWarmup(0, length);
  }

  // ---- Composing. ----

  /// This schedule, multiplied during the first `length` by a ramp: (t + 1) / length at step t. The
  /// first step has a rate above 0, and this schedule's clock runs from the start; a schedule that
  /// starts after the warm-up is `linearWarmup(length).then(schedule)`.
  default Schedule warmup(Span length) {
    return moment -> {
      long steps = length.toSteps(moment.stepsPerEpoch());
      double ramp = moment.step() < steps ? (moment.step() + 1.0) / steps : 1;
      return ramp * factor(moment);
    };
  }

  /// This schedule until `end`, as if the training ended there; then `next`, as if it began there.
  default Schedule then(Span end, Schedule next) {
    return moment -> {
      long at = end.toSteps(moment.stepsPerEpoch());
      return moment.step() < at
          ? factor(moment.within(0, at))
          : next.factor(moment.within(at, Math.max(0, moment.totalSteps() - at)));
    };
  }

  /// This schedule, squeezed so that 0 becomes `least`: least + (1 - least) · factor.
  default Schedule downTo(double least) {
    if (!(least >= 0 && least <= 1)) {
      throw new IllegalArgumentException(
          "[downTo] expected a least factor in [0, 1], found " + least);
    }
    return moment -> least + (1 - least) * factor(moment);
  }

  /// The product of both.
  default Schedule times(Schedule other) {
    return moment -> factor(moment) * other.factor(moment);
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

    /// The same factor whenever `period` has passed: factor^⌊t / period⌋.
    public Schedule every(Span period) {
      requirePositive("stepDecay", period);
      return moment -> Math.pow(factor, Math.floor(moment.step() / moment.steps(period)));
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

  /// A line from `from` up to 1, reached after `length`: from + (1 - from) · min(1, t / length).
  ///
  /// @param from the factor at the first step, in [0, 1]
  /// @param length until the factor is 1
  record LinearWarmup(double from, Span length) implements Schedule {
    /// Checks the range.
    public LinearWarmup {
      if (!(from >= 0 && from <= 1)) {
        throw new IllegalArgumentException(
            "[linearWarmup] expected a first factor in [0, 1], found " + from);
      }
    }

    /// The same line from another factor.
    public LinearWarmup from(double newFrom) {
      return new LinearWarmup(newFrom, length);
    }

    /// This warm-up, then `next`, which begins where the warm-up ends.
    public Schedule then(Schedule next) {
      return then(length, next);
    }

    @Override
    public double factor(Moment moment) {
      return from + (1 - from) * Math.min(1, moment.step() / moment.steps(length));
    }
  }

  /// One rise and one fall, both along half a cosine; see [#oneCycle].
  ///
  /// @param rise the share of the training in which the rate rises, in (0, 1)
  /// @param start how many times smaller the first rate is than the greatest
  /// @param end how many times smaller the last rate is than the first
  record OneCycle(double rise, double start, double end) implements Schedule {
    /// Checks the ranges.
    public OneCycle {
      if (!(rise > 0 && rise < 1)) {
        throw new IllegalArgumentException("[oneCycle] expected a rise in (0, 1), found " + rise);
      }
      if (!(start >= 1 && end >= 1)) {
        throw new IllegalArgumentException(
            "[oneCycle] expected divisors of at least 1, found " + start + " and " + end);
      }
    }

    @Override
    public double factor(Moment moment) {
      double top = rise * moment.totalSteps() - 1;
      double last = moment.totalSteps() - 1;
      return moment.step() < top
          ? between(1 / start, 1, moment.step() / top)
          : between(1, 1 / (start * end), (moment.step() - top) / (last - top));
    }

    private static double between(double from, double to, double share) {
      return to + (from - to) * halfCosine(Math.min(1, share));
    }
  }

  /// The rate falls when the loss of the epochs (of the test set if there is one, else of the
  /// training) stops falling. An epoch is better if its loss is below (1 - threshold) times the
  /// best so far; after more than `patience` epochs in a row that are not, the rate is multiplied
  /// by `factor` and the count begins anew. PyTorch's ReduceLROnPlateau without cool-down.
  ///
  /// @param factor on the rate, in (0, 1)
  /// @param patience epochs without improvement that are borne
  /// @param least the product of all factors does not fall below it
  /// @param threshold the relative improvement that counts, in [0, 1)
  record ReduceOnPlateau(double factor, int patience, double least, double threshold)
      implements Schedule {
    /// Checks the ranges.
    public ReduceOnPlateau {
      if (!(factor > 0 && factor < 1)) {
        throw new IllegalArgumentException(
            "[reduceOnPlateau] expected a factor in (0, 1), found " + factor);
      }
      if (patience < 0) {
        throw new IllegalArgumentException(
            "[reduceOnPlateau] expected a patience of at least 0, found " + patience);
      }
      if (!(least >= 0 && least <= 1)) {
        throw new IllegalArgumentException(
            "[reduceOnPlateau] expected a least factor in [0, 1], found " + least);
      }
      if (!(threshold >= 0 && threshold < 1)) {
        throw new IllegalArgumentException(
            "[reduceOnPlateau] expected a threshold in [0, 1), found " + threshold);
      }
    }

    /// The same with another patience.
    public ReduceOnPlateau patience(int epochs) {
      return new ReduceOnPlateau(factor, epochs, least, threshold);
    }

    /// The same with another threshold.
    public ReduceOnPlateau threshold(double newThreshold) {
      return new ReduceOnPlateau(factor, patience, least, newThreshold);
    }

    @Override
    public ReduceOnPlateau downTo(double newLeast) {
      return new ReduceOnPlateau(factor, patience, newLeast, threshold);
    }

    @Override
    public double factor(Moment moment) {
      double product = 1;
      double best = Double.POSITIVE_INFINITY;
      int worse = 0;
      for (double loss : moment.losses()) {
        if (loss < best * (1 - threshold)) {
          best = loss;
          worse = 0;
        } else if (++worse > patience) {
          product = Math.max(least, product * factor);
          worse = 0;
        }
      }
      return product;
    }
  }

  /// From 1 at 0 down to 0 at 1.
  private static double halfCosine(double share) {
    return 0.5 * (1 + Math.cos(Math.PI * share));
  }

  private static void requirePositive(String schedule, Span span) {
    if (!(span.amount() > 0)) {
      throw new IllegalArgumentException(
          "[%s] expected a span longer than 0, found %s".formatted(schedule, span));
    }
  }
}
