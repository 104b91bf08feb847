package dev.gatun.cli.plot;

/// An axis of a [Panel].
///
/// @param label what it counts
/// @param logarithmic whether equal distances are equal factors
/// @param least where it begins; NaN to begin where the curves do
/// @param greatest where it ends; NaN to end where the curves do
public record Axis(String label, boolean logarithmic, double least, double greatest) {
  static Axis linear(String label) {
    return new Axis(label, false, Double.NaN, Double.NaN);
  }

  static Axis logarithmic(String label) {
    return new Axis(label, true, Double.NaN, Double.NaN);
  }

  /// Whether a value is between its ends.
  boolean has(double value) {
    return value >= least && value <= greatest;
  }

  /// The same from `newLeast` to `newGreatest`.
  Axis within(double newLeast, double newGreatest) {
    return new Axis(label, logarithmic, newLeast, newGreatest);
  }
}
