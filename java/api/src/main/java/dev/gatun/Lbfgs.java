package dev.gatun;

import static dev.gatun.Vectors.add;
import static dev.gatun.Vectors.dot;
import static dev.gatun.Vectors.norm1;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/// L-BFGS (Liu and Nocedal 1989): a quasi-Newton method that knows the curvature from its last
/// `history` steps, each of which changes the estimate by a matrix of rank two (some lectures say
/// one). With a history of 0 it is gradient descent with a line search.
///
/// For whole data sets and functions without noise; minibatches and dropout break it. Its vectors
/// are in double precision on the host: they are few, and nothing beside a gradient over a data
/// set.
///
/// ```java
/// try (var objective = FullBatch.of(model, Loss.softmaxCrossEntropy(), inputs, labels)) {
///   Lbfgs.of().iterations(50).minimize(objective, objective.parameters());
/// }
/// ```
///
/// @param history pairs of steps and changes of the gradient that are kept, 10 by default
/// @param lineSearch strong Wolfe by default
/// @param tolerance it ends when no element of the gradient is larger, 1e-8 by default
/// @param iterations at most, 100 by default
public record Lbfgs(int history, LineSearch lineSearch, double tolerance, int iterations) {
  /// Checks the ranges.
  public Lbfgs {
    Hyperparameters.require("lbfgs", history >= 0, "a history of at least 0", history);
    Hyperparameters.require("lbfgs", tolerance >= 0, "a tolerance of at least 0", tolerance);
    Hyperparameters.require("lbfgs", iterations >= 1, "at least 1 iteration", iterations);
  }

  /// The defaults.
  public static Lbfgs of() {
    return new Lbfgs(10, LineSearch.strongWolfe(), 1e-8, 100);
  }

  /// The same with another history.
  public Lbfgs history(int newHistory) {
    return new Lbfgs(newHistory, lineSearch, tolerance, iterations);
  }

  /// The same with another line search.
  public Lbfgs lineSearch(LineSearch newLineSearch) {
    return new Lbfgs(history, newLineSearch, tolerance, iterations);
  }

  /// The same with another tolerance.
  public Lbfgs tolerance(double newTolerance) {
    return new Lbfgs(history, lineSearch, newTolerance, iterations);
  }

  /// The same with another limit.
  public Lbfgs iterations(int newIterations) {
    return new Lbfgs(history, lineSearch, tolerance, newIterations);
  }

  /// Why a minimisation ended.
  public enum Ending {
    /// The gradient is within the tolerance.
    CONVERGED,
    /// The iterations are used up.
    ITERATIONS_USED,
    /// The line search found no step: the value is as small as its rounding lets it be, or not
    /// smooth.
    NO_STEP
  }

  /// What a minimisation found.
  ///
  /// @param point where
  /// @param value there
  /// @param iterations steps done
  /// @param evaluations of the function and its gradient
  /// @param ending why it ended
  public record Minimum(
      double[] point, double value, int iterations, int evaluations, Ending ending) {}

  /// A step, and by how much it changed the gradient.
  private record Pair(double[] step, double[] change, double product) {}

  /// Makes `objective` small from `start`, which stays as it is.
  ///
  /// @throws IllegalArgumentException if the value at the start is not finite
  public Minimum minimize(Objective objective, double[] start) {
    return new Run(objective, start).minimize(tolerance, iterations);
  }

  private final class Run extends Descent {
    private final Deque<Pair> pairs = new ArrayDeque<>(); // the newest first

    Run(Objective objective, double[] start) {
      super("lbfgs", objective, lineSearch, start);
    }

    @Override
    double firstStep() {
      return pairs.isEmpty() ? Math.min(1, 1 / norm1(gradient())) : 1;
    }

    @Override
    boolean forget() {
      boolean any = !pairs.isEmpty();
      pairs.clear();
      return any;
    }

    @Override
    void remember(double[] step, double[] change) {
      double product = dot(step, change);
      if (history > 0 && product > 1e-10 * Math.sqrt(dot(step, step) * dot(change, change))) {
        pairs.addFirst(new Pair(step, change, product)); // keeps the estimate positive definite
        if (pairs.size() > history) {
          pairs.removeLast();
        }
      }
    }

    /// -H g by the two loops over the pairs.
    @Override
    double[] direction() {
      double[] q = new double[point().length];
      add(q, -1, gradient());
      double[] alpha = new double[pairs.size()];
      int k = 0;
      for (Pair pair : pairs) {
        alpha[k] = dot(pair.step(), q) / pair.product();
        add(q, -alpha[k], pair.change());
        k++;
      }
      if (!pairs.isEmpty()) {
        Pair newest = pairs.getFirst();
        double scale = newest.product() / dot(newest.change(), newest.change());
        for (int i = 0; i < q.length; i++) {
          q[i] *= scale;
        }
      }
      for (Iterator<Pair> oldest = pairs.descendingIterator(); oldest.hasNext(); ) {
        Pair pair = oldest.next();
        k--;
        double beta = dot(pair.change(), q) / pair.product();
        add(q, alpha[k] - beta, pair.step());
      }
      return q;
    }
  }
}
