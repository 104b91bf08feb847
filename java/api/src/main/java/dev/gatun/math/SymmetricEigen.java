package dev.gatun.math;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// The eigenvalues and eigenvectors of a real symmetric matrix: reduced to a tridiagonal one by
/// Householder reflections, then by implicit QL steps with Wilkinson's shifts (Golub and Van Loan,
/// "Matrix Computations", chapter 8). About 6 n³ operations on one thread: a second for n = 500.
///
/// @param values descending
/// @param vectors `vectors[i]` belongs to `values[i]`, has length 1, and its largest component is
///   positive
@SuppressWarnings("ArrayRecordComponent") // a result to be read, never compared
public record SymmetricEigen(double[] values, double[][] vectors) {
  private static final int MAX_STEPS = 60; // for one eigenvalue; two or three are usual

  /// Decomposes `matrix`, of which the whole is read.
  ///
  /// @throws IllegalArgumentException if an element is not finite
  public static SymmetricEigen of(double[][] matrix) {
    int n = matrix.length;
    double[][] a = new double[n][];
    for (int i = 0; i < n; i++) {
      a[i] = matrix[i].clone();
      for (double element : a[i]) {
        if (!Double.isFinite(element)) {
          throw new IllegalArgumentException(
              "[eigen] expected finite elements, found " + element + " in row " + i);
        }
      }
    }
    double[] diagonal = new double[n];
    double[] beside = new double[n]; // beside[i] couples i and i + 1
    double[][] vectors = tridiagonalize(a, diagonal, beside);
    iterate(diagonal, beside, vectors);
    return sorted(diagonal, vectors);
  }

  /// Destroys `a`; returns the rows of Qᵀ with a = Q T Qᵀ.
  private static double[][] tridiagonalize(double[][] a, double[] diagonal, double[] beside) {
    int n = a.length;
    double[][] reflections = new double[n][];
    double[] w = new double[n];
    for (int k = 0; k < n - 2; k++) {
      double[] v = new double[n]; // zero up to k
      double square = 0;
      for (int i = k + 1; i < n; i++) {
        v[i] = a[k][i];
        square += v[i] * v[i];
      }
      double length = Math.sqrt(square);
      double image = v[k + 1] > 0 ? -length : length; // of the column, on the axis k + 1
      beside[k] = image;
      v[k + 1] -= image;
      double norm = Math.sqrt(dot(v, v, k + 1));
      if (norm == 0) {
        continue;
      }
      for (int i = k + 1; i < n; i++) {
        v[i] /= norm;
      }
      reflections[k] = v;
      for (int i = k + 1; i < n; i++) {
        w[i] = 2 * dot(a[i], v, k + 1);
      }
      double overlap = dot(w, v, k + 1);
      for (int i = k + 1; i < n; i++) {
        w[i] -= overlap * v[i];
      }
      for (int i = k + 1; i < n; i++) {
        for (int j = k + 1; j < n; j++) {
          a[i][j] -= v[i] * w[j] + w[i] * v[j];
        }
      }
    }
    for (int i = 0; i < n; i++) {
      diagonal[i] = a[i][i];
    }
    if (n > 1) {
      beside[n - 2] = a[n - 2][n - 1];
    }
    return product(reflections, n);
  }

  /// The rows of the transposed product of the reflections, the first one leftmost.
  private static double[][] product(double[][] reflections, int n) {
    double[][] rows = new double[n][n];
    for (int i = 0; i < n; i++) {
      rows[i][i] = 1;
    }
    for (int k = n - 3; k >= 0; k--) {
      double[] v = reflections[k];
      if (v != null) {
        for (int i = k + 1; i < n; i++) {
          double twice = 2 * dot(rows[i], v, k + 1);
          for (int j = k + 1; j < n; j++) {
            rows[i][j] -= twice * v[j];
          }
        }
      }
    }
    return rows;
  }

  /// QL on the tridiagonal matrix, until it is diagonal; its rotations are done to `rows` too.
  private static void iterate(double[] diagonal, double[] beside, double[][] rows) {
    int n = diagonal.length;
    for (int first = 0; first < n; first++) {
      int steps = 0;
      int last = blockEnd(diagonal, beside, first);
      while (last > first) {
        if (steps++ == MAX_STEPS) {
          throw new IllegalStateException("[eigen] no convergence in " + MAX_STEPS + " steps");
        }
        step(diagonal, beside, rows, first, last);
        last = blockEnd(diagonal, beside, first);
      }
    }
  }

  /// The last index that is coupled to `first`.
  private static int blockEnd(double[] diagonal, double[] beside, int first) {
    int last = first;
    while (last < diagonal.length - 1) {
      double scale = Math.abs(diagonal[last]) + Math.abs(diagonal[last + 1]);
      if (Math.abs(beside[last]) <= Math.ulp(scale)) {
        break;
      }
      last++;
    }
    return last;
  }

  private static void step(
      double[] diagonal, double[] beside, double[][] rows, int first, int last) {
    double half = (diagonal[first + 1] - diagonal[first]) / (2 * beside[first]);
    double shift =
        diagonal[first] - beside[first] / (half + Math.copySign(Math.hypot(half, 1), half));
    double g = diagonal[last] - shift;
    double sine = 1;
    double cosine = 1;
    double moved = 0;
    for (int i = last - 1; i >= first; i--) {
      double f = sine * beside[i];
      double b = cosine * beside[i];
      double r = Math.hypot(f, g);
      beside[i + 1] = r;
      if (r == 0) { // the matrix falls apart here
        diagonal[i + 1] -= moved;
        beside[last] = 0;
        return;
      }
      sine = f / r;
      cosine = g / r;
      g = diagonal[i + 1] - moved;
      r = (diagonal[i] - g) * sine + 2 * cosine * b;
      moved = sine * r;
      diagonal[i + 1] = g + moved;
      g = cosine * r - b;
      rotate(rows[i], rows[i + 1], cosine, sine);
    }
    diagonal[first] -= moved;
    beside[first] = g;
    beside[last] = 0;
  }

  private static void rotate(double[] low, double[] high, double cosine, double sine) {
    for (int k = 0; k < low.length; k++) {
      double above = high[k];
      high[k] = sine * low[k] + cosine * above;
      low[k] = cosine * low[k] - sine * above;
    }
  }

  private static SymmetricEigen sorted(double[] diagonal, double[][] rows) {
    int n = diagonal.length;
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer i) -> -diagonal[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    double[] values = Arrays.stream(order).mapToDouble(i -> diagonal[i]).toArray();
    double[][] vectors = new double[n][];
    for (int i = 0; i < n; i++) {
      vectors[i] = upright(rows[order[i]]);
    }
    return new SymmetricEigen(values, vectors);
  }

  /// With its largest component positive, so that a decomposition is not a matter of luck.
  private static double[] upright(double[] vector) {
    double largest = 0;
    for (double component : vector) {
      if (Math.abs(component) > Math.abs(largest)) {
        largest = component;
      }
    }
    return largest < 0 ? Arrays.stream(vector).map(c -> -c).toArray() : vector;
  }

  private static double dot(double[] a, double[] b, int from) {
    double sum = 0;
    for (int i = from; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
