package dev.gatun;

/// How weights are averaged while training goes on. The average is a model of its own
/// ([Trainer#averaged]), which test sets are evaluated on once it has begun; the running statistics
/// of normalisation are averaged with the weights.
public sealed interface Averaging {
  /// An exponential moving average (Polyak and Juditsky 1992): after every step
  ///
  ///     average = d · average + (1 - d) · weights,    d = min(decay, (1 + n) / (10 + n))
  ///
  /// where n counts the averages so far; it begins as a copy. The ramp of d (TensorFlow's) lets the
  /// average forget the initial weights soon.
  ///
  /// @param decay in [0, 1), 0.999 or 0.9999 in most recipes
  static Averaging exponential(double decay) {
    return new Exponential(decay);
  }

  /// Stochastic weight averaging (Izmailov et al. 2018): the plain mean of the weights at `start`
  /// and every `period` after it. PyTorch recomputes running statistics by a pass over the training
  /// set instead of averaging them.
  static Averaging stochastic(Span start, Span period) {
    return new Stochastic(start, period);
  }

  /// The share of the present weights in the new average; 0 to leave it.
  ///
  /// @param moment after the step
  /// @param count averages so far; the first is a copy
  double weight(Schedule.Moment moment, long count);

  /// See [#exponential].
  ///
  /// @param decay the greatest share of the old average that stays
  record Exponential(double decay) implements Averaging {
    /// Checks the range.
    public Exponential {
      Hyperparameters.share("exponential", "a decay", decay);
    }

    @Override
    public double weight(Schedule.Moment moment, long count) {
      return count == 0 ? 1 : 1 - Math.min(decay, (1.0 + count) / (10.0 + count));
    }
  }

  /// See [#stochastic].
  ///
  /// @param start of the averaging
  /// @param period between averages, longer than 0
  record Stochastic(Span start, Span period) implements Averaging {
    /// Checks the range.
    public Stochastic {
      Hyperparameters.require(
          "stochastic", period.amount() > 0, "a period longer than 0", period.amount());
    }

    @Override
    public double weight(Schedule.Moment moment, long count) {
      long since = moment.step() - start.toSteps(moment.stepsPerEpoch());
      long every = Math.max(1, period.toSteps(moment.stepsPerEpoch()));
      return since >= 0 && since % every == 0 ? 1.0 / (count + 1) : 0;
    }
  }
}
