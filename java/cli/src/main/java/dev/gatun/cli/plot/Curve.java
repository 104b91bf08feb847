package dev.gatun.cli.plot;

import java.util.Arrays;

/// Points of a [Panel], joined or not.
///
/// @param name in the legend; what has none is not in it
/// @param x of every point
/// @param y of every point; a line is interrupted where it is NaN
/// @param style how they are drawn
public record Curve(String name, double[] x, double[] y, Style style) {
  /// How points are drawn.
  public enum Style {
    /// Joined.
    LINE,
    /// Joined, each point marked: steps that one can count.
    PATH,
    /// Not joined.
    DOTS,
    /// Joined, thin and grey: what lies behind the others.
    CONTOUR,
    /// Not joined, grey: what scatters behind the others.
    CLOUD
  }

  /// Checks that every point has both.
  public Curve {
    if (x.length != y.length || x.length == 0) {
      throw new IllegalArgumentException(
          "[curve] %s: as many x as y expected, at least one, found %d and %d"
              .formatted(name, x.length, y.length));
    }
  }

  static Curve line(String name, double[] x, double[] y) {
    return new Curve(name, x, y, Style.LINE);
  }

  /// A line through y at 1, 2, 3, …
  static Curve counted(String name, double[] y) {
    double[] x = new double[y.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = i + 1;
    }
    return line(name, x, y);
  }

  /// The same in another style.
  Curve as(Style newStyle) {
    return new Curve(name, x, y, newStyle);
  }

  /// The same up to where it first leaves the window; the point that is outside is the last, so
  /// that one sees where it goes.
  Curve within(Axis across, Axis up) {
    int end = 0;
    while (end < x.length && across.has(x[end]) && up.has(y[end])) {
      end++;
    }
    int length = Math.min(x.length, end + 1);
    return new Curve(name, Arrays.copyOf(x, length), Arrays.copyOf(y, length), style);
  }

  /// The moving average of y as a line: a value counts 0.95 times what the next one does, and the
  /// counts of all so far add up to 1, so that the line begins where the points do.
  Curve averaged(String newName) {
    double[] average = new double[y.length];
    double sum = 0;
    double counts = 0;
    for (int i = 0; i < average.length; i++) {
      sum = 0.95 * sum + y[i];
      counts = 0.95 * counts + 1;
      average[i] = sum / counts;
    }
    return line(newName, x, average);
  }
}
