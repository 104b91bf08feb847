package dev.gatun;

/// What is done to gradients that are too large, before the optimizer sees them. All kinds but
/// [#none] also measure the norm of the gradient of all parameters before they act; see
/// [History#gradientNorms].
public sealed interface Clipping {
  /// Gradients stay as they are, and nothing is measured.
  static Clipping none() {
    return new None();
  }

  /// The gradient g of all parameters together is scaled to the norm `maxNorm` if it is longer: g ·
  /// min(1, maxNorm / ‖g‖) (Pascanu et al. 2013). An infinite norm measures only.
  static Clipping byNorm(double maxNorm) {
    return new ByNorm(maxNorm);
  }

  /// The same for each parameter tensor on its own.
  static Clipping byTensorNorm(double maxNorm) {
    return new ByTensorNorm(maxNorm);
  }

  /// Each element is limited to [-limit, limit]; this changes the direction.
  static Clipping byValue(double limit) {
    return new ByValue(limit);
  }

  /// Adaptive gradient clipping (Brock et al. 2021): the gradient of each unit's incoming weights
  /// (a row of a matrix, a filter of a convolution, a whole vector) is scaled to `ratio` times the
  /// norm of these weights if it is longer. Weights count as at least 0.001 long. The paper uses a
  /// ratio of 0.01 and leaves the last layer alone.
  static Clipping adaptive(double ratio) {
    return new Adaptive(ratio);
  }

  /// See [#none].
  record None() implements Clipping {}

  /// See [#byNorm].
  ///
  /// @param maxNorm greater than 0
  record ByNorm(double maxNorm) implements Clipping {
    /// Checks the range.
    public ByNorm {
      require("clipNorm", maxNorm > 0, "a norm greater than 0", maxNorm);
    }
  }

  /// See [#byTensorNorm].
  ///
  /// @param maxNorm greater than 0, finite
  record ByTensorNorm(double maxNorm) implements Clipping {
    /// Checks the range.
    public ByTensorNorm {
      require("byTensorNorm", maxNorm > 0 && Double.isFinite(maxNorm), "a norm above 0", maxNorm);
    }
  }

  /// See [#byValue].
  ///
  /// @param limit greater than 0, finite
  record ByValue(double limit) implements Clipping {
    /// Checks the range.
    public ByValue {
      require("byValue", limit > 0 && Double.isFinite(limit), "a limit above 0", limit);
    }
  }

  /// See [#adaptive].
  ///
  /// @param ratio greater than 0, finite
  record Adaptive(double ratio) implements Clipping {
    /// Checks the range.
    public Adaptive {
      require("adaptive", ratio > 0 && Double.isFinite(ratio), "a ratio above 0", ratio);
    }
  }

  private static void require(String kind, boolean holds, String expected, double found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "[%s] expected %s, found %s".formatted(kind, expected, found));
    }
  }
}
