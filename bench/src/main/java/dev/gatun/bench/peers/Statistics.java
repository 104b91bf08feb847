package dev.gatun.bench.peers;

import java.util.Arrays;

/// What many times of one work say.
///
/// @param median of them
/// @param spread the distance between the quartiles as a share of the median
/// @param samples how many there were
public record Statistics(double median, double spread, int samples) {
  /// Of at least one time.
  ///
  /// @throws IllegalArgumentException if there is none
  public static Statistics of(double... times) {
    if (times.length == 0) {
      throw new IllegalArgumentException("there are no times");
    }
    double[] sorted = times.clone();
    Arrays.sort(sorted);
    double median = quantile(sorted, 0.5);
    return new Statistics(
        median, (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median, times.length);
  }

  /// Between neighbours, linear.
  private static double quantile(double[] sorted, double share) {
    double place = share * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }
}
