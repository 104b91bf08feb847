package dev.gatun.backend.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.backend.View;
import java.util.function.Supplier;

/// Compares gradients with central differences, in F64.
final class FiniteDifferences {
  /// The truncation error is about h² = 1e-10 times a third derivative of about 1, the rounding
  /// error about 1e-16 / h.
  private static final double H = 1e-5;

  private static final double TOLERANCE = 1e-8;

  private FiniteDifferences() {}

  /// Asserts that `gradient` is that of sum(weights * y) by the elements of `x`, where `forward`
  /// computes y anew from x.
  static void assertGradient(
      Tensors t, View x, double[] gradient, double[] weights, Supplier<View> forward) {
    double[] at = t.read(x);
    assertEquals(at.length, gradient.length);
    for (int i = 0; i < at.length; i++) {
      double value = at[i];
      at[i] = value + H;
      t.write(x, at);
      double above = dot(weights, t.read(forward.get()));
      at[i] = value - H;
      t.write(x, at);
      double below = dot(weights, t.read(forward.get()));
      at[i] = value;
      t.write(x, at);
      double expected = (above - below) / (2 * H);
      assertEquals(expected, gradient[i], TOLERANCE * Math.max(1, Math.abs(expected)), "at " + i);
    }
  }

  private static double dot(double[] a, double[] b) {
    assertEquals(a.length, b.length);
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
