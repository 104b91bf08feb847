package dev.gatun;

import static dev.gatun.Vectors.add;
import static dev.gatun.Vectors.dot;
import static dev.gatun.Vectors.norm;

import dev.gatun.Lbfgs.Minimum;

/// Newton's method: from x to x - H⁻¹ ∇f, with H the Hessian at x. A quadratic function takes one
/// step, and near a minimum each step doubles the digits that are right.
///
/// H, with n² elements for n parameters, and its inverse, of n³ operations, are what lectures name
/// as the reason not to use it on large nets. Here the step is found by conjugate gradients, which
/// need products with H alone ([Objective#hessianVector]), n of them at most, were it not for
/// rounding; a direction along which the curvature is not positive ends them, and a line search
/// decides how far to go (Nocedal and Wright 2006, algorithm 7.1). It is for small problems,
/// without noise.
///
/// @param lineSearch strong Wolfe by default; it tries the whole step first
/// @param tolerance it ends when no element of the gradient is larger, 1e-8 by default
/// @param iterations at most, 50 by default
public record Newton(LineSearch lineSearch, double tolerance, int iterations) {
  /// By how much conjugate gradients shrink what is left.
  private static final double ACCURACY = 1e-10;

  /// Checks the ranges.
  public Newton {
    Hyperparameters.require("newton", tolerance >= 0, "a tolerance of at least 0", tolerance);
    Hyperparameters.require("newton", iterations >= 1, "at least 1 iteration", iterations);
  }

  /// The defaults.
  public static Newton of() {
    return new Newton(LineSearch.strongWolfe(), 1e-8, 50);
  }

  /// The same with another line search.
  public Newton lineSearch(LineSearch newLineSearch) {
    return new Newton(newLineSearch, tolerance, iterations);
  }

  /// The same with another tolerance.
  public Newton tolerance(double newTolerance) {
    return new Newton(lineSearch, newTolerance, iterations);
  }

  /// The same with another limit.
  public Newton iterations(int newIterations) {
    return new Newton(lineSearch, tolerance, newIterations);
  }

  /// Makes `objective` small from `start`, which stays as it is.
  ///
  /// @return evaluations are those of the line search; products with the Hessian come on top
  /// @throws IllegalArgumentException if the value at the start is not finite
  public Minimum minimize(Objective objective, double[] start) {
    return new Run(objective, start).minimize(tolerance, iterations);
  }

  private final class Run extends Descent {
    Run(Objective objective, double[] start) {
      super("newton", objective, lineSearch, start);
    }

    @Override
    double firstStep() {
      return 1;
    }

    @Override
    boolean forget() {
      return false;
    }

    @Override
    void remember(double[] step, double[] change) {}

    /// Solves H p = -∇f.
    @Override
    double[] direction() {
      int n = point().length;
      double[] p = new double[n];
      double[] residual = new double[n]; // -∇f - H p
      add(residual, -1, gradient());
      double[] d = residual.clone();
      double[] product = new double[n];
      double square = dot(residual, residual);
      double goal = ACCURACY * norm(gradient());
      for (int k = 0; k < 2 * n && Math.sqrt(square) > goal; k++) {
        objective().hessianVector(point(), d, product);
        double curvature = dot(d, product);
        if (!(curvature > 0)) {
          return k == 0 ? residual : p;
        }
        double step = square / curvature;
        add(p, step, d);
        add(residual, -step, product);
        double before = square;
        square = dot(residual, residual);
        for (int i = 0; i < n; i++) {
          d[i] = residual[i] + square / before * d[i];
        }
      }
      return p;
    }
  }
}
