package dev.gatun;

import java.util.function.DoubleFunction;
import org.jspecify.annotations.Nullable;

/// How far to go along a direction of descent p from a point x: a step γ with f(x + γ p) small
/// enough. Needs exact values, so it is of use with whole data sets only.
public sealed interface LineSearch {
  /// Halves the step until the Armijo condition holds, with c₁ = 10⁻⁴, 50 times at most.
  static Backtracking backtracking() {
    return new Backtracking(1e-4, 0.5, 50);
  }

  /// The strong Wolfe conditions with c₁ = 10⁻⁴ and c₂ = 0.9.
  static StrongWolfe strongWolfe() {
    return new StrongWolfe(1e-4, 0.9, 50);
  }

  /// The function along the direction.
  ///
  /// @param step γ
  /// @param value f(x + γ p)
  /// @param slope pᵀ∇f(x + γ p)
  record Trial(double step, double value, double slope) {}

  /// A step that is good enough, null if none is found.
  ///
  /// @param start the trial of step 0, with a slope below 0
  /// @param first the step to try first
  /// @param line tries a step
  @Nullable Trial search(Trial start, double first, DoubleFunction<Trial> line);

  /// Sufficient decrease: f(x + γ p) ≤ f(x) + c₁ γ pᵀ∇f(x) (Armijo, the first Wolfe condition).
  private static boolean decreases(Trial start, Trial trial, double c1) {
    return trial.value() <= start.value() + c1 * trial.step() * start.slope();
  }

  /// Shrinks the step until the value has decreased enough.
  ///
  /// @param c1 of the Armijo condition, in (0, 1)
  /// @param shrink what a step is multiplied by, in (0, 1)
  /// @param trials at most
  record Backtracking(double c1, double shrink, int trials) implements LineSearch {
    /// Checks the ranges.
    public Backtracking {
      Hyperparameters.require("backtracking", c1 > 0 && c1 < 1, "c1 in (0, 1)", c1);
      Hyperparameters.require(
          "backtracking", shrink > 0 && shrink < 1, "a factor in (0, 1)", shrink);
      Hyperparameters.require("backtracking", trials > 0, "at least 1 trial", trials);
    }

    @Override
    public @Nullable Trial search(Trial start, double first, DoubleFunction<Trial> line) {
      double step = first;
      for (int i = 0; i < trials; i++) {
        Trial trial = line.apply(step);
        if (decreases(start, trial, c1)) {
          return trial;
        }
        step *= shrink;
      }
      return null;
    }
  }

  /// Brackets a step and zooms in by cubic interpolation until both strong Wolfe conditions hold
  /// (Nocedal and Wright 2006, algorithms 3.5 and 3.6).
  ///
  /// @param c1 of sufficient decrease, in (0, c2)
  /// @param c2 of the curvature, in (c1, 1)
  /// @param trials at most
  record StrongWolfe(double c1, double c2, int trials) implements LineSearch {
    /// Checks the ranges.
    public StrongWolfe {
      Hyperparameters.require("strongWolfe", c1 > 0 && c1 < c2, "c1 in (0, c2)", c1);
      Hyperparameters.require("strongWolfe", c2 < 1, "c2 below 1", c2);
      Hyperparameters.require("strongWolfe", trials > 0, "at least 1 trial", trials);
    }

    /// Whether both Wolfe conditions hold in the weak form of the lectures: sufficient decrease,
    /// and c₂ pᵀ∇f(x) ≤ pᵀ∇f(x + γ p).
    public boolean acceptsWeakly(Trial start, Trial trial) {
      return decreases(start, trial, c1) && c2 * start.slope() <= trial.slope();
    }

    /// Whether both hold in the strong form: the second is |pᵀ∇f(x + γ p)| ≤ c₂ |pᵀ∇f(x)|.
    public boolean accepts(Trial start, Trial trial) {
      return decreases(start, trial, c1) && Math.abs(trial.slope()) <= -c2 * start.slope();
    }

    @Override
    public @Nullable Trial search(Trial start, double first, DoubleFunction<Trial> line) {
      Trial before = start;
      double step = first;
      for (int left = trials; left > 0; left--) {
        Trial trial = line.apply(step);
        boolean low = decreases(start, trial, c1);
        if (!low || (before.step() != 0 && trial.value() >= before.value())) {
          return zoom(start, before, trial, line, left);
        }
        if (accepts(start, trial)) {
          return trial;
        }
        if (trial.slope() >= 0) {
          return zoom(start, trial, before, line, left);
        }
        before = trial;
        step *= 2;
      }
      return before.step() == 0 ? null : before;
    }

    /// Between `low`, the best trial so far, and `high`, where the function has risen again.
    private @Nullable Trial zoom(
        Trial start, Trial low, Trial high, DoubleFunction<Trial> line, int trialsLeft) {
      Trial best = low;
      Trial other = high;
      for (int left = trialsLeft; left > 0; left--) {
        Trial trial = line.apply(between(best, other));
        if (!decreases(start, trial, c1) || trial.value() >= best.value()) {
          other = trial;
        } else {
          if (accepts(start, trial)) {
            return trial;
          }
          if (trial.slope() * (other.step() - best.step()) >= 0) {
            other = best;
          }
          best = trial;
        }
      }
      return best.step() == 0 ? null : best;
    }

    /// The minimum of the cubic through two trials, kept a tenth of the way from both; the middle
    /// if there is none.
    private static double between(Trial a, Trial b) {
      double width = b.step() - a.step();
      double d1 = a.slope() + b.slope() - 3 * (a.value() - b.value()) / (a.step() - b.step());
      double square = d1 * d1 - a.slope() * b.slope();
      double d2 = Math.signum(width) * Math.sqrt(square);
      double share = 1 - (b.slope() + d2 - d1) / (b.slope() - a.slope() + 2 * d2);
      return a.step() + width * (Double.isFinite(share) ? Math.clamp(share, 0.1, 0.9) : 0.5);
    }
  }
}
