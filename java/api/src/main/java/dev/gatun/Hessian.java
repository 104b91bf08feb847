package dev.gatun;

import static dev.gatun.Vectors.add;
import static dev.gatun.Vectors.dot;
import static dev.gatun.Vectors.norm;

import dev.gatun.math.SymmetricEigen;
import dev.gatun.random.RandomStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The curvature of an [Objective] at a point: the matrix of its second derivatives, known by its
/// products with vectors.
///
/// ```java
/// try (var objective = FullBatch.of(model, Loss.softmaxCrossEntropy(), inputs, labels)) {
///   Hessian hessian = Hessian.of(objective, objective.parameters());
///   double sharpest = hessian.extremes(30, 1).greatest();
/// }
/// ```
public final class Hessian {
  private final Objective objective;
  private final double[] point;

  private Hessian(Objective objective, double[] point) {
    this.objective = objective;
    this.point = point;
  }

  /// The Hessian of `objective` at `point`, which is copied.
  public static Hessian of(Objective objective, double[] point) {
    return new Hessian(objective, point.clone());
  }

  /// The product with `vector`.
  ///
  /// @throws IllegalArgumentException if it has another length than the point
  public double[] times(double[] vector) {
    if (vector.length != point.length) {
      throw new IllegalArgumentException(
          "[hessian] expected a vector of %d elements, found %d"
              .formatted(point.length, vector.length));
    }
    double[] product = new double[point.length];
    objective.hessianVector(point, vector, product);
    return product;
  }

  /// All n² elements, by n products; made symmetric, which rounding is not.
  public double[][] matrix() {
    int n = point.length;
    double[][] rows = new double[n][];
    for (int i = 0; i < n; i++) {
      double[] unit = new double[n];
      unit[i] = 1;
      rows[i] = times(unit);
    }
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < i; k++) {
        double mean = (rows[i][k] + rows[k][i]) / 2;
        rows[i][k] = mean;
        rows[k][i] = mean;
      }
    }
    return rows;
  }

  /// All eigenvalues, the greatest first, by the whole matrix: for some hundred parameters.
  public double[] eigenvalues() {
    return SymmetricEigen.of(matrix()).values();
  }

  /// The index of the point: the share of directions in which the function curves down (Dauphin et
  /// al. 2014), 0 at a minimum, in between at a saddle point, 1 at a maximum. By the whole matrix.
  ///
  /// @param tolerance eigenvalues count as negative from here downwards, as a share of the greatest
  ///   absolute one: rounding makes zeros a little more or less
  public double index(double tolerance) {
    double[] values = eigenvalues();
    double scale = Math.max(Math.abs(values[0]), Math.abs(values[values.length - 1]));
    return (double) Arrays.stream(values).filter(value -> value < -tolerance * scale).count()
        / values.length;
  }

  /// The ends of the spectrum.
  ///
  /// @param least the least eigenvalue, which is below 0 where the function curves down
  /// @param greatest the greatest
  public record Extremes(double least, double greatest) {
    /// The condition number, greatest / least: how much gradient descent is slowed down by valleys.
    /// Of use where both are positive.
    public double condition() {
      return greatest / least;
    }
  }

  /// The ends of the spectrum by the method of Lanczos, with `steps` products: they are approached
  /// from inside, those that stand apart first. As many steps as parameters find all of it. Vectors
  /// are kept, and made orthogonal to all before.
  ///
  /// @param steps at least 1
  /// @param seed of the vector that it starts from
  public Extremes extremes(int steps, long seed) {
    Hyperparameters.require("hessian", steps >= 1, "at least 1 step", steps);
    int n = point.length;
    RandomStream random = new RandomStream(seed, 0);
    double[] q = new double[n];
    for (int i = 0; i < n; i++) {
      q[i] = random.nextGaussian();
    }
    scale(q, 1 / norm(q));
    List<double[]> basis = new ArrayList<>();
    List<Double> diagonal = new ArrayList<>();
    List<Double> beside = new ArrayList<>();
    for (int k = 0; k < Math.min(steps, n); k++) {
      basis.add(q);
      double[] w = times(q);
      diagonal.add(dot(q, w));
      double before = norm(w);
      for (int round = 0; round < 2; round++) { // once is not enough for rounding
        for (double[] known : basis) {
          add(w, -dot(known, w), known);
        }
      }
      double length = norm(w);
      if (length <= 1e-12 * before) {
        break; // nothing new: what is known is all that the start is made of
      }
      beside.add(length);
      scale(w, 1 / length);
      q = w;
    }
    int size = diagonal.size();
    double[][] tridiagonal = new double[size][size];
    for (int i = 0; i < size; i++) {
      tridiagonal[i][i] = diagonal.get(i);
      if (i > 0) {
        tridiagonal[i][i - 1] = beside.get(i - 1);
        tridiagonal[i - 1][i] = beside.get(i - 1);
      }
    }
    double[] values = SymmetricEigen.of(tridiagonal).values();
    return new Extremes(values[size - 1], values[0]);
  }

  /// (∇f(x + h v) - ∇f(x - h v)) / 2h.
  ///
  /// @param relative h for a point of length 0 and a vector of length 1
  static void difference(
      Objective objective, double relative, double[] point, double[] vector, double[] product) {
    double length = norm(vector);
    if (length == 0) {
      Arrays.fill(product, 0);
      return;
    }
    double h = relative * (1 + norm(point)) / length;
    double[] moved = point.clone();
    double[] below = new double[point.length];
    add(moved, h, vector);
    objective.valueAndGradient(moved, product);
    System.arraycopy(point, 0, moved, 0, moved.length);
    add(moved, -h, vector);
    objective.valueAndGradient(moved, below);
    add(product, -1, below);
    scale(product, 1 / (2 * h));
  }

  private static void scale(double[] x, double factor) {
    for (int i = 0; i < x.length; i++) {
      x[i] *= factor;
    }
  }
}
