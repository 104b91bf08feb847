package dev.gatun.diagnosis;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A short run from the initial weights at a constant rate.
///
/// @param rate the learning rate
/// @param equalLoss the loss if all outputs were 0
/// @param losses before each step; the last may be infinite or NaN, and ends the run
/// @param end what the last step's batch gives, with the step's updates; null if the run did not
///   come to its end
public record TrialRun(
    double rate, double equalLoss, List<Double> losses, @Nullable Inspection end) {
  private static final int LAST_PART = 4;

  /// Copies the losses.
  public TrialRun {
    losses = List.copyOf(losses);
  }

  /// Whether no loss was infinite or NaN.
  public boolean isFinite() {
    return losses.stream().allMatch(Double::isFinite);
  }

  /// The loss before the first step.
  public double startLoss() {
    return losses.getFirst();
  }

  /// The mean of the last quarter of the losses; NaN if they are not finite.
  public double endLoss() {
    return losses.stream()
        .skip(losses.size() - Math.ceilDiv(losses.size(), LAST_PART))
        .mapToDouble(Double::doubleValue)
        .average()
        .orElse(Double.NaN);
  }

  /// The share of the loss that is gone at the end: of the first one, or of that of equal outputs
  /// where that is less, for to learn that nothing is known is no progress. Negative if the loss
  /// has grown, and -∞ if it is not finite any more.
  public double progress() {
    double least = Math.min(startLoss(), equalLoss);
    return isFinite() ? (least - endLoss()) / Math.abs(least) : Double.NEGATIVE_INFINITY;
  }

  /// The share of the first loss that is gone at the end; -∞ if that is not finite.
  public double fall() {
    return isFinite()
        ? (startLoss() - endLoss()) / Math.abs(startLoss())
        : Double.NEGATIVE_INFINITY;
  }

  @Override
  public String toString() {
    return "rate %s: loss %s to %s in %d steps"
        .formatted(
            Words.number(rate),
            Words.number(startLoss()),
            Words.number(isFinite() ? endLoss() : losses.getLast()),
            losses.size());
  }
}
