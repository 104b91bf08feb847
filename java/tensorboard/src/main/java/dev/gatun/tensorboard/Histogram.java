package dev.gatun.tensorboard;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// How numbers are distributed over intervals of equal width between the least and the greatest.
///
/// @param count how many there are
/// @param limits upper ends of the intervals, the last the greatest number
/// @param counts of numbers in each; one that lies on a limit counts above it, the greatest in the
///   last
record Histogram(
    double min,
    double max,
    double count,
    double sum,
    double sumOfSquares,
    double[] limits,
    double[] counts) {
  private static final int INTERVALS = 30;

  /// Of the finite ones among these; null if there are none.
  static @Nullable Histogram of(float[] elements) {
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (float element : elements) {
      if (Float.isFinite(element)) {
        min = Math.min(min, element);
        max = Math.max(max, element);
        sum += element;
        squares += (double) element * element;
        count++;
      }
    }
    if (count == 0) {
      return null;
    }
    int intervals = max > min ? INTERVALS : 1;
    double width = (max - min) / intervals;
    double[] counts = new double[intervals];
    for (float element : elements) {
      if (Float.isFinite(element)) {
        int interval = intervals == 1 ? 0 : (int) ((element - min) / width);
        counts[Math.min(interval, intervals - 1)]++;
      }
    }
    double[] limits = new double[intervals];
    double first = min;
    Arrays.setAll(limits, i -> first + (i + 1) * width);
    limits[intervals - 1] = max;
    return new Histogram(min, max, count, sum, squares, limits, counts);
  }
}
