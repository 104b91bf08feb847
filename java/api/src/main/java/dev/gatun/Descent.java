package dev.gatun;

import static dev.gatun.Vectors.dot;
import static dev.gatun.Vectors.greatest;

import dev.gatun.Lbfgs.Ending;
import dev.gatun.Lbfgs.Minimum;
import org.jspecify.annotations.Nullable;

/// One minimisation by a line search along directions of descent; what they are is the method's.
abstract class Descent {
  private final Objective objective;
  private final LineSearch lineSearch;
  private double[] point;
  private double[] gradient;
  private double value;
  private double[] nextPoint;
  private double[] nextGradient;
  private LineSearch.@Nullable Trial last;
  private int evaluations = 1;

  /// @param name of the method, for messages
  /// @throws IllegalArgumentException if the value at the start is not finite
  Descent(String name, Objective objective, LineSearch lineSearch, double[] start) {
    this.objective = objective;
    this.lineSearch = lineSearch;
    point = start.clone();
    gradient = new double[start.length];
    nextPoint = new double[start.length];
    nextGradient = new double[start.length];
    value = objective.valueAndGradient(point, gradient);
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(
          "[%s] expected a finite value at the start, found %s".formatted(name, value));
    }
  }

  /// Where to go from the present point.
  abstract double[] direction();

  /// The step to try first.
  abstract double firstStep();

  /// Takes note of a step and of how it changed the gradient, which the method may keep.
  abstract void remember(double[] step, double[] change);

  /// Forgets what led nowhere; false if there was nothing to forget.
  abstract boolean forget();

  final Objective objective() {
    return objective;
  }

  final double[] point() {
    return point;
  }

  final double[] gradient() {
    return gradient;
  }

  final Minimum minimize(double tolerance, int iterations) {
    for (int done = 0; done < iterations; done++) {
      if (greatest(gradient) <= tolerance) {
        return found(done, Ending.CONVERGED);
      }
      if (!step() && !(forget() && step())) {
        // The last trial went elsewhere, and an objective may keep its point, as a model does.
        objective.valueAndGradient(point, gradient);
        evaluations++;
        return found(done, Ending.NO_STEP);
      }
    }
    boolean converged = greatest(gradient) <= tolerance;
    return found(iterations, converged ? Ending.CONVERGED : Ending.ITERATIONS_USED);
  }

  /// Goes along the direction; false if there is no step.
  private boolean step() {
    double[] direction = direction();
    LineSearch.Trial here = new LineSearch.Trial(0, value, dot(direction, gradient));
    if (!(here.slope() < 0)) {
      return false;
    }
    LineSearch.Trial taken =
        lineSearch.search(here, firstStep(), step -> evaluate(direction, step));
    if (taken == null) {
      return false;
    }
    if (!taken.equals(last)) {
      evaluate(direction, taken.step()); // another was tried after it
    }
    double[] step = new double[point.length];
    double[] change = new double[point.length];
    for (int i = 0; i < point.length; i++) {
      step[i] = nextPoint[i] - point[i];
      change[i] = nextGradient[i] - gradient[i];
    }
    remember(step, change);
    value = taken.value();
    double[] spare = point;
    point = nextPoint;
    nextPoint = spare;
    spare = gradient;
    gradient = nextGradient;
    nextGradient = spare;
    return true;
  }

  private LineSearch.Trial evaluate(double[] direction, double step) {
    for (int i = 0; i < point.length; i++) {
      nextPoint[i] = point[i] + step * direction[i];
    }
    double there = objective.valueAndGradient(nextPoint, nextGradient);
    evaluations++;
    LineSearch.Trial trial = new LineSearch.Trial(step, there, dot(direction, nextGradient));
    last = trial;
    return trial;
  }

  private Minimum found(int done, Ending ending) {
    return new Minimum(point, value, done, evaluations, ending);
  }
}
