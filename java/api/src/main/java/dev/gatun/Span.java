package dev.gatun;

/// A length or a moment of training, in optimizer steps or in passes over the training set.
///
/// @param amount how many, not negative
/// @param unit of what
public record Span(double amount, Unit unit) {
  /// Checks the range.
  public Span {
    if (!(amount >= 0) || Double.isInfinite(amount)) {
      throw new IllegalArgumentException(
          "[span] expected a finite amount of at least 0, found " + amount);
    }
  }

  /// `count` optimizer steps.
  public static Span steps(long count) {
    return new Span(count, Unit.STEPS);
  }

  /// `count` passes over the training set; fractions are allowed.
  public static Span epochs(double count) {
    return new Span(count, Unit.EPOCHS);
  }

  /// This span in whole steps, rounded.
  public long toSteps(long stepsPerEpoch) {
    return Math.round(unit == Unit.STEPS ? amount : amount * stepsPerEpoch);
  }

  /// What is counted.
  public enum Unit {
    /// Optimizer steps.
    STEPS,
    /// Passes over the training set.
    EPOCHS
  }
}
