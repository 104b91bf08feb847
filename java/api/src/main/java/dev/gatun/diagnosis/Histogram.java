package dev.gatun.diagnosis;

import java.util.List;
import java.util.stream.LongStream;

/// How many numbers lie in each of some equal parts of a range.
///
/// @param from the range's beginning
/// @param to its end, which belongs to the last part
/// @param counts of each part
public record Histogram(double from, double to, List<Long> counts) {
  private static final String LEVELS = " ▁▂▃▄▅▆▇█";

  /// Copies the counts.
  public Histogram {
    counts = List.copyOf(counts);
  }

  static Histogram of(float[] elements, double from, double to, int parts) {
    long[] counts = new long[parts];
    double scale = to > from ? parts / (to - from) : 0;
    for (float element : elements) {
      if (Float.isFinite(element)) {
        counts[(int) Math.min(parts - 1, (element - from) * scale)]++;
      }
    }
    return new Histogram(from, to, LongStream.of(counts).boxed().toList());
  }

  /// A column for each part, as high as its count beside the greatest.
  public String bars() {
    long greatest = counts.stream().mapToLong(Long::longValue).max().orElse(0);
    StringBuilder bars = new StringBuilder();
    for (long count : counts) {
      bars.append(bar(greatest == 0 ? 0 : (double) count / greatest));
    }
    return bars.toString();
  }

  /// A column that is so high, from 0 to 1; what is not 0 is seen.
  static char bar(double height) {
    return LEVELS.charAt((int) Math.ceil(8 * height));
  }

  @Override
  public String toString() {
    return Words.number(from) + " |" + bars() + "| " + Words.number(to);
  }
}
