package dev.gatun.backend.reference;

/// The normal distribution with mean 0 and deviation 1, to the accuracy of `double`.
final class Gaussian {
  // From here the continued fraction needs fewer terms than the series.
  private static final double TAIL = 3;
  private static final int DEPTH = 200;

  private Gaussian() {}

  static double density(double x) {
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  /// The probability of what is less than x; of full relative accuracy for small probabilities.
  static double below(double x) {
    if (Double.isNaN(x)) {
      return x;
    }
    if (Math.abs(x) < TAIL) {
      return 0.5 + density(x) * series(x);
    }
    double beyond = Math.abs(x) > 40 ? 0 : density(x) / fraction(Math.abs(x));
    return x < 0 ? beyond : 1 - beyond;
  }

  /// x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + ...
  private static double series(double x) {
    double sum = 0;
    double term = x;
    for (int n = 3; Math.abs(term) > 1e-18; n += 2) {
      sum += term;
      term *= x * x / n;
    }
    return sum;
  }

  /// x + 1/(x + 2/(x + 3/(x + ...))).
  private static double fraction(double x) {
    double rest = x;
    for (int n = DEPTH; n > 0; n--) {
      rest = x + n / rest;
    }
    return rest;
  }
}
