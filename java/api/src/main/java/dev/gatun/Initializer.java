package dev.gatun;

import dev.gatun.random.RandomStream;
import java.util.Arrays;

/// How a parameter gets its first values. Named by formula; fan-in and fan-out are those of dense
/// weights `[out, in]` and convolution weights `[out, kernelHeight, kernelWidth, in]`: fan-in = in
/// · kernel area, fan-out = out · kernel area. Samples depend on the seed and the parameter's
/// number only, never on the device.
public sealed interface Initializer {
  /// Elements of a parameter of `shape`. `stream` tells parameters of one seed apart.
  float[] sample(Shape shape, long seed, long stream);

  /// Every element is `value`.
  static Initializer constant(double value) {
    return new Constant(value);
  }

  /// All zeros.
  static Initializer zeros() {
    return constant(0);
  }

  /// All ones.
  static Initializer ones() {
    return constant(1);
  }

  /// Normal with mean 0.
  static Initializer normal(double standardDeviation) {
    return new Normal(standardDeviation);
  }

  /// Uniform in `[low, high)`.
  static Initializer uniform(double low, double high) {
    return new Uniform(low, high);
  }

  /// Variance = scale / fan.
  static Initializer varianceScaling(double scale, Fan fan, Distribution distribution) {
    return new VarianceScaling(scale, fan, distribution);
  }

  /// Normal with variance 2 / fan-in, for layers followed by ReLU (He et al. 2015); the lectures'
  /// "Kaiming / MSRA".
  static Initializer kaimingNormal() {
    return varianceScaling(2, Fan.IN, Distribution.NORMAL);
  }

  /// Uniform with variance 2 / fan-in.
  static Initializer kaimingUniform() {
    return varianceScaling(2, Fan.IN, Distribution.UNIFORM);
  }

  /// Normal with variance 1 / fan-in (LeCun et al. 1998).
  static Initializer lecunNormal() {
    return varianceScaling(1, Fan.IN, Distribution.NORMAL);
  }

  /// Uniform with variance 1 / fan-in.
  static Initializer lecunUniform() {
    return varianceScaling(1, Fan.IN, Distribution.UNIFORM);
  }

  /// Normal with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010).
  static Initializer glorotNormal() {
    return varianceScaling(1, Fan.AVERAGE, Distribution.NORMAL);
  }

  /// Uniform with variance 2 / (fan-in + fan-out): ±√(6 / (fan-in + fan-out)).
  static Initializer glorotUniform() {
    return varianceScaling(1, Fan.AVERAGE, Distribution.UNIFORM);
  }

  /// What a variance is divided by.
  enum Fan {
    /// The inputs of a unit.
    IN,
    /// The units an input reaches.
    OUT,
    /// The mean of both.
    AVERAGE
  }

  /// The form of a distribution with mean 0.
  enum Distribution {
    /// The normal distribution.
    NORMAL,
    /// The uniform distribution on an interval around 0.
    UNIFORM
  }

  /// See [#constant].
  ///
  /// @param value of every element
  record Constant(double value) implements Initializer {
    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      float[] elements = new float[Math.toIntExact(shape.count())];
      Arrays.fill(elements, (float) value);
      return elements;
    }
  }

  /// See [#normal].
  ///
  /// @param standardDeviation not negative
  record Normal(double standardDeviation) implements Initializer {
    /// Checks the range.
    public Normal {
      if (!(standardDeviation >= 0)) {
        throw new IllegalArgumentException(
            "a standard deviation is not negative, found " + standardDeviation);
      }
    }

    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      RandomStream random = new RandomStream(seed, stream);
      float[] elements = new float[Math.toIntExact(shape.count())];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = (float) (standardDeviation * random.nextGaussian());
      }
      return elements;
    }
  }

  /// See [#uniform].
  ///
  /// @param low the least value
  /// @param high above all values
  record Uniform(double low, double high) implements Initializer {
    /// Checks the range.
    public Uniform {
      if (!(low <= high)) {
        throw new IllegalArgumentException("expected low <= high, found " + low + " and " + high);
      }
    }

    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      RandomStream random = new RandomStream(seed, stream);
      float[] elements = new float[Math.toIntExact(shape.count())];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = (float) random.nextDouble(low, high);
      }
      return elements;
    }
  }

  /// See [#varianceScaling].
  ///
  /// @param scale the numerator
  /// @param fan the denominator
  /// @param distribution the form
  record VarianceScaling(double scale, Fan fan, Distribution distribution) implements Initializer {
    /// Checks the range.
    public VarianceScaling {
      if (!(scale > 0)) {
        throw new IllegalArgumentException("expected a scale greater than 0, found " + scale);
      }
    }

    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      double variance = scale / fan(shape);
      Initializer scaled =
          switch (distribution) {
            case NORMAL -> normal(Math.sqrt(variance));
            case UNIFORM -> uniform(-Math.sqrt(3 * variance), Math.sqrt(3 * variance));
          };
      return scaled.sample(shape, seed, stream);
    }

    private double fan(Shape shape) {
      if (shape.rank() < 2) {
        throw new ShapeException(
            "[varianceScaling] a fan needs weights with at least two axes [out, ..., in], found "
                + shape);
      }
      double area = 1;
      for (int i = 1; i < shape.rank() - 1; i++) {
        area *= shape.dim(i);
      }
      double in = shape.dim(-1) * area;
      double out = shape.dim(0) * area;
      return switch (fan) {
        case IN -> in;
        case OUT -> out;
        case AVERAGE -> (in + out) / 2;
      };
    }
  }
}
