package dev.gatun;

import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/// How a parameter gets its first values. Named by formula; fan-in and fan-out are those of dense
/// weights `[out, in]` and convolution weights `[out, kernelHeight, kernelWidth, in]`: fan-in = in
/// · kernel area, fan-out = out · kernel area. Samples depend on the seed and the parameter's
/// number only, never on the device.
///
/// The literature's names differ. Its "Xavier" is the variance 1 / fan-in in some lectures (here
/// [#lecunNormal]) and 2 / (fan-in + fan-out) in others and in the paper ([#glorotNormal]); "He" is
/// 2 / fan-in ([#kaimingNormal]) but for one lecture, where it is N(0, 1 / fan-in). For units that
/// are not ReLUs, scale the variance by the square of the gain: 2 / (1 + slope²) for leaky ReLU, 25
/// / 9 for tanh, 1 for linear and sigmoid.
///
/// Your own is a lambda; [dev.gatun.random.RandomStream] has numbers that depend on the seed alone:
///
/// ```java
/// Initializer diagonal =
///     (shape, seed, stream) -> {
///       float[] elements = new float[(int) shape.count()];
///       for (int i = 0; i < Math.min(shape.dim(0), shape.dim(1)); i++) {
///         elements[(int) (i * shape.dim(1) + i)] = 0.5f;
///       }
///       return elements;
///     };
/// Net net = Net.input(8).dense(new Layers.Dense(8).initializer(diagonal));
/// ```
public interface Initializer {
  /// Elements of a parameter of `shape`, in row-major order. `stream` tells parameters of one seed
  /// apart.
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

  /// Normal with mean 0, samples beyond two standard deviations drawn again. The deviation of what
  /// is left is 0.8796 times `standardDeviation`, as in PyTorch; the variance-scaling ones correct
  /// for it.
  static Initializer truncatedNormal(double standardDeviation) {
    return new TruncatedNormal(standardDeviation);
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

  /// Normal with variance 2 / ((1 + slope²) fan), for layers followed by leaky ReLU of this slope;
  /// the fan-out keeps the variance of gradients instead of that of activations.
  static Initializer kaimingNormal(Fan fan, double slope) {
    return varianceScaling(2 / (1 + slope * slope), fan, Distribution.NORMAL);
  }

  /// Uniform with variance 2 / ((1 + slope²) fan).
  static Initializer kaimingUniform(Fan fan, double slope) {
    return varianceScaling(2 / (1 + slope * slope), fan, Distribution.UNIFORM);
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

  /// Weights as a matrix `[out, rest]` whose rows, or columns if it is tall, are orthonormal, times
  /// `gain` (Saxe et al. 2014).
  static Initializer orthogonal(double gain) {
    return new Orthogonal(gain);
  }

  /// What passes channel i to channel i: the identity for dense weights, a 1 in the middle of the
  /// kernel for convolutions ("Dirac").
  static Initializer identity() {
    return new Identity();
  }

  /// Random walk for ReLU nets of great depth (Sussillo and Abbott 2014): normal with variance g² /
  /// fan-in, g = √2 · exp(1.2 / (max(fan-in, 6) - 2.4)).
  static Initializer randomWalkRelu() {
    return new RandomWalk(fan -> Math.sqrt(2) * Math.exp(1.2 / (Math.max(fan, 6) - 2.4)));
  }

  /// Random walk for linear nets of great depth: normal with variance g² / fan-in, g = exp(1 / (2
  /// fan-in)).
  static Initializer randomWalkLinear() {
    return new RandomWalk(fan -> Math.exp(0.5 / fan));
  }

  /// Rows in as many equal parts as there are initializers, each part drawn by its own as if it
  /// were a parameter by itself: for weights of several gates in one matrix.
  static Initializer stacked(List<Initializer> parts) {
    return new Stacked(parts);
  }

  /// This one's samples times `factor`.
  default Initializer times(double factor) {
    return new Scaled(this, factor);
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
    /// The normal distribution without what lies beyond two of its deviations.
    TRUNCATED_NORMAL,
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

  /// See [#truncatedNormal].
  ///
  /// @param standardDeviation of the normal distribution that is cut, not negative
  record TruncatedNormal(double standardDeviation) implements Initializer {
    /// That of the standard normal distribution cut at ±2.
    static final double DEVIATION = 0.8796256610342398;

    /// Checks the range.
    public TruncatedNormal {
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
        double draw = random.nextGaussian();
        while (Math.abs(draw) > 2) {
          draw = random.nextGaussian();
        }
        elements[i] = (float) (standardDeviation * draw);
      }
      return elements;
    }
  }

  /// See [#identity].
  record Identity() implements Initializer {
    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      VarianceScaling.fan(shape, Fan.IN);
      int in = Math.toIntExact(shape.dim(-1));
      int out = Math.toIntExact(shape.dim(0));
      int area = 1;
      int middle = 0;
      for (int i = 1; i < shape.rank() - 1; i++) {
        int extent = Math.toIntExact(shape.dim(i));
        area *= extent;
        middle = middle * extent + extent / 2;
      }
      float[] elements = new float[Math.toIntExact(shape.count())];
      for (int i = 0; i < Math.min(in, out); i++) {
        elements[(i * area + middle) * in + i] = 1;
      }
      return elements;
    }
  }

  /// See [#randomWalkRelu].
  ///
  /// @param gain by the fan-in
  record RandomWalk(DoubleUnaryOperator gain) implements Initializer {
    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      double fan = VarianceScaling.fan(shape, Fan.IN);
      return normal(gain.applyAsDouble(fan) / Math.sqrt(fan)).sample(shape, seed, stream);
    }
  }

  /// See [#times].
  ///
  /// @param initializer what is scaled
  /// @param factor by what
  record Scaled(Initializer initializer, double factor) implements Initializer {
    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      float[] elements = initializer.sample(shape, seed, stream);
      for (int i = 0; i < elements.length; i++) {
        elements[i] = (float) (factor * elements[i]);
      }
      return elements;
    }
  }

  /// See [#stacked].
  ///
  /// @param parts one for each part of the rows
  record Stacked(List<Initializer> parts) implements Initializer {
    /// Checks that there is one.
    public Stacked {
      parts = List.copyOf(parts);
      if (parts.isEmpty()) {
        throw new IllegalArgumentException("[stacked] expected at least one initializer");
      }
    }

    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      int count = parts.size();
      if (shape.rank() < 1 || shape.dim(0) % count != 0) {
        throw new ShapeException(
            "[stacked] expected rows that divide into %d parts, found %s".formatted(count, shape));
      }
      Shape part = shape.with(0, shape.dim(0) / count);
      float[] elements = new float[Math.toIntExact(shape.count())];
      int each = elements.length / count;
      for (int i = 0; i < count; i++) {
        float[] drawn = parts.get(i).sample(part, seed, stream + i * EACH_PART);
        System.arraycopy(drawn, 0, elements, i * each, each);
      }
      return elements;
    }

    /// More streams than there are parameters.
    private static final long EACH_PART = 1L << 32;
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
            case TRUNCATED_NORMAL ->
                truncatedNormal(Math.sqrt(variance) / TruncatedNormal.DEVIATION);
            case UNIFORM -> uniform(-Math.sqrt(3 * variance), Math.sqrt(3 * variance));
          };
      return scaled.sample(shape, seed, stream);
    }

    private double fan(Shape shape) {
      return fan(shape, fan);
    }

    static double fan(Shape shape, Fan fan) {
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

  /// A matrix with orthonormal rows, or columns if it is tall, uniformly distributed among these:
  /// the Gram-Schmidt process on normal samples, in double precision, twice for accuracy. See
  /// [#orthogonal].
  ///
  /// @param gain what the matrix is multiplied by
  record Orthogonal(double gain) implements Initializer {
    @Override
    public float[] sample(Shape shape, long seed, long stream) {
      if (shape.rank() < 2) {
        throw new ShapeException(
            "[orthogonal] expected weights with at least two axes [out, ..., in], found " + shape);
      }
      int rows = Math.toIntExact(shape.dim(0));
      int columns = rows == 0 ? 0 : Math.toIntExact(shape.count() / rows);
      boolean tall = rows > columns;
      double[][] vectors = new double[tall ? columns : rows][tall ? rows : columns];
      RandomStream random = new RandomStream(seed, stream);
      for (int i = 0; i < vectors.length; i++) {
        for (int k = 0; k < vectors[i].length; k++) {
          vectors[i][k] = random.nextGaussian();
        }
        orthonormalise(vectors, i);
        orthonormalise(vectors, i);
      }
      float[] elements = new float[Math.toIntExact(shape.count())];
      for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
          elements[r * columns + c] = (float) (gain * (tall ? vectors[c][r] : vectors[r][c]));
        }
      }
      return elements;
    }

    /// Takes from vector `i` what lies along those before, and makes it as long as 1.
    private static void orthonormalise(double[][] vectors, int i) {
      double[] own = vectors[i];
      for (int j = 0; j < i; j++) {
        double along = dot(own, vectors[j]);
        for (int k = 0; k < own.length; k++) {
          own[k] -= along * vectors[j][k];
        }
      }
      double length = Math.sqrt(dot(own, own));
      for (int k = 0; k < own.length; k++) {
        own[k] /= length;
      }
    }

    private static double dot(double[] a, double[] b) {
      double sum = 0;
      for (int k = 0; k < a.length; k++) {
        sum += a[k] * b[k];
      }
      return sum;
    }
  }
}
