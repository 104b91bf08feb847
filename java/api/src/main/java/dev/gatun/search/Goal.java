package dev.gatun.search;

/// What the score of a trial is.
public enum Goal {
  /// A share of right answers; more is better.
  ACCURACY("val acc"),
  /// A loss; less is better.
  LOSS("val loss");

  private final String label;

  Goal(String label) {
    this.label = label;
  }

  /// What logs call it.
  public String label() {
    return label;
  }

  /// Whether score `a` is better than `b`; any number is better than NaN.
  public boolean isBetter(double a, double b) {
    if (Double.isNaN(a) || Double.isNaN(b)) {
      return Double.isNaN(b) && !Double.isNaN(a);
    }
    return this == ACCURACY ? a > b : a < b;
  }

  /// The better score of the two.
  double better(double a, double b) {
    return isBetter(a, b) ? a : b;
  }
}
