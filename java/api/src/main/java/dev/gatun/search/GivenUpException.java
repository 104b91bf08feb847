package dev.gatun.search;

/// A trial is not worth going on with; the message says why. It leaves the trainer and the trial's
/// function, and the [Search] that began the trial catches it.
public final class GivenUpException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String reason;
  private final double score;

  /// @param score of the trial so far, NaN if it counts as bad
  GivenUpException(String reason, double score) {
    super(reason);
    this.reason = reason;
    this.score = score;
  }

  String reason() {
    return reason;
  }

  double score() {
    return score;
  }
}
