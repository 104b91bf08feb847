package dev.gatun.diagnosis;

/// How numbers are distributed. Means, deviations and extremes are of those that are finite, NaN if
/// none is.
///
/// @param count of all numbers
/// @param notFinite how many are infinite or NaN
/// @param mean of the finite ones
/// @param deviation their standard deviation, of 1/N
/// @param least the least
/// @param greatest the greatest
/// @param zeros the share that is 0
/// @param histogram of the finite ones, from the least to the greatest
public record Spread(
    long count,
    long notFinite,
    double mean,
    double deviation,
    double least,
    double greatest,
    double zeros,
    Histogram histogram) {
  private static final int PARTS = 16;

  /// How `elements` are distributed.
  public static Spread of(float[] elements) {
    double sum = 0;
    double least = Double.NaN;
    double greatest = Double.NaN;
    long finite = 0;
    long zeros = 0;
    for (float element : elements) {
      zeros += element == 0 ? 1 : 0;
      if (Float.isFinite(element)) {
        sum += element;
        least = finite == 0 ? element : Math.min(least, element);
        greatest = finite == 0 ? element : Math.max(greatest, element);
        finite++;
      }
    }
    double mean = sum / finite;
    double squares = 0;
    for (float element : elements) {
      if (Float.isFinite(element)) {
        squares += (element - mean) * (element - mean);
      }
    }
    return new Spread(
        elements.length,
        elements.length - finite,
        mean,
        Math.sqrt(squares / finite),
        least,
        greatest,
        (double) zeros / elements.length,
        Histogram.of(elements, least, greatest, PARTS));
  }

  /// Whether all numbers are finite.
  public boolean isFinite() {
    return notFinite == 0;
  }

  @Override
  public String toString() {
    String tail = notFinite == 0 ? "" : ", %d of %d not finite".formatted(notFinite, count);
    return "mean %s, deviation %s, %s%s"
        .formatted(Words.number(mean), Words.number(deviation), histogram, tail);
  }
}
