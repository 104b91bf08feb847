package dev.gatun.diagnosis;

/// An attempt to learn a few small batches by heart, as every network that can learn can.
///
/// @param rate the learning rate
/// @param examples all together
/// @param steps that were made
/// @param startLoss the mean loss in the first pass over them
/// @param endLoss the mean loss in the last
/// @param accuracy the share of right answers in the last pass; NaN if targets are values
public record Overfit(
    double rate, int examples, int steps, double startLoss, double endLoss, double accuracy) {
  private static final double ALL = 0.99;
  private static final double SMALL = 0.05;

  /// Whether they are known by heart: 99 % of the answers are right, or a twentieth of the loss is
  /// left.
  public boolean succeeded() {
    return accuracy >= ALL || endLoss <= SMALL * startLoss;
  }

  @Override
  public String toString() {
    String right = Double.isNaN(accuracy) ? "" : ", " + Words.percent(accuracy) + " right";
    return "%d examples at rate %s: loss %s to %s in %d steps%s"
        .formatted(
            examples,
            Words.number(rate),
            Words.number(startLoss),
            Words.number(endLoss),
            steps,
            right);
  }
}
