package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.List;

/// The losses of a run whose learning rate grows exponentially (Smith 2017).
///
/// @param equalLoss the loss if all outputs were 0
/// @param points in the order of the steps
public record RateCurve(double equalLoss, List<Point> points) {
  /// How much of the smoothed loss a step keeps.
  private static final double SMOOTHING = 0.8;

  /// How far below the rate of the least loss a good rate lies: that one is about to be too much.
  private static final double BACK = 10;

  private static final double FALL = 0.1;

  /// Copies the points.
  public RateCurve {
    points = List.copyOf(points);
  }

  /// A step.
  ///
  /// @param rate its learning rate
  /// @param loss before it
  /// @param smoothed the exponential average of the losses so far
  public record Point(double rate, double loss, double smoothed) {}

  /// The curve of these rates and the losses before their steps; what is not finite ends it.
  public static RateCurve of(double equalLoss, List<Double> rates, List<Double> losses) {
    List<Point> points = new ArrayList<>();
    double average = 0;
    double weight = 0;
    for (int i = 0; i < losses.size() && Double.isFinite(losses.get(i)); i++) {
      average = SMOOTHING * average + (1 - SMOOTHING) * losses.get(i);
      weight = SMOOTHING * weight + 1 - SMOOTHING;
      points.add(new Point(rates.get(i), losses.get(i), average / weight));
    }
    return new RateCurve(equalLoss, points);
  }

  /// A tenth of the rate at which the smoothed loss is least; NaN if it never fell by a tenth.
  public double suggestion() {
    return fall() > FALL ? least().rate() / BACK : Double.NaN;
  }

  /// The share of the loss that is gone where the smoothed loss is least: of the first one, or of
  /// that of equal outputs where that is less.
  public double fall() {
    if (points.isEmpty()) {
      return 0;
    }
    double first = Math.min(points.getFirst().loss(), equalLoss);
    return 1 - least().smoothed() / Math.max(Double.MIN_NORMAL, first);
  }

  private Point least() {
    Point least = points.getFirst();
    for (Point point : points) {
      least = point.smoothed() < least.smoothed() ? point : least;
    }
    return least;
  }

  @Override
  public String toString() {
    return points.isEmpty()
        ? "no finite loss"
        : "rates %s to %s, %s"
            .formatted(
                Words.number(points.getFirst().rate()),
                Words.number(points.getLast().rate()),
                Double.isNaN(suggestion())
                    ? "the loss falls at none"
                    : "suggested: " + Words.number(suggestion()));
  }
}
