package dev.gatun.diagnosis;

import java.util.List;

/// A few examples that the network cannot learn by heart.
final class OverfitRule implements Rule {
  /// Of the first loss.
  private static final double MUCH_LEFT = 0.5;

  @Override
  public List<Finding> apply(Examination examination) {
    Overfit overfit = examination.overfit();
    if (overfit == null
        || overfit.succeeded()
        || overfit.endLoss() < MUCH_LEFT * overfit.startLoss()) {
      return List.of();
    }
    return List.of(
        Finding.severe(
            "few examples not learned",
            "",
            overfit.toString(),
            Double.isFinite(overfit.endLoss())
                ? "what cannot learn a few examples by heart cannot learn many; usually the rate is"
                    + " too low or the initial weights are bad"
                : "usually the rate is too high or the initial weights are bad",
            "another rate first; then less weight decay and dropout, another initialiser, more"
                + " units; and a look at whether inputs and targets belong together"));
  }
}
