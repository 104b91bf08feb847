package dev.gatun;

/// Vectors on the host, in double precision.
final class Vectors {
  private Vectors() {}

  /// to += factor · x.
  static void add(double[] to, double factor, double[] x) {
    for (int i = 0; i < to.length; i++) {
      to[i] += factor * x[i];
    }
  }

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /// The Euclidean norm.
  static double norm(double[] x) {
    return Math.sqrt(dot(x, x));
  }

  /// The sum of absolute values.
  static double norm1(double[] x) {
    double sum = 0;
    for (double element : x) {
      sum += Math.abs(element);
    }
    return sum;
  }

  /// The greatest absolute value.
  static double greatest(double[] x) {
    double greatest = 0;
    for (double element : x) {
      greatest = Math.max(greatest, Math.abs(element));
    }
    return greatest;
  }
}
