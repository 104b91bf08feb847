package dev.gatun.data;

import dev.gatun.math.SymmetricEigen;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/// Inputs in the directions in which the training samples vary: with the mean μ and the
/// eigenvectors V (columns, by descending eigenvalues λ) of the covariance `1/N Σ (x - μ)(x - μ)ᵀ`,
///
/// | | formula | the training samples become |
/// |---|---|---|
/// | [#pca] | `y = Vᵀ (x - μ)` | uncorrelated, with variances λ |
/// | [#whitening] | `y = (Λ + ε)^-½ Vᵀ (x - μ)` | uncorrelated, with variances λ / (λ + ε) |
/// | [#zca] | `y = V (Λ + ε)^-½ Vᵀ (x - μ)` | the same, as near to x - μ as can be (Bell and Sejnowski 1997) |
///
/// ε keeps directions without variance from becoming noise; of a variance well above it, 1 is left
/// (1 within 10⁻³ from λ ≥ 1000 ε on). Pictures in [0, 1] are commonly whitened with ε = 0.01 to
/// 0.1. The sign of an eigenvector is such that its largest component is positive.
///
/// Fitting costs N · D² / 2 + 6 D³ operations on one thread: seconds for D = 784, minutes for D =
/// 3072; applying costs D² an input. For pictures of a training run prefer a [Standardizer].
public final class Projection implements Preprocessing {
  /// ε of [#whitening] and [#zca] when no other is given.
  public static final double DEFAULT_EPSILON = 1e-5;

  /// Which of the three.
  public enum Kind {
    /// Principal components.
    PCA,
    /// Principal components with variance 1.
    WHITENING,
    /// Whitened and turned back.
    ZCA
  }

  private final Kind kind;
  private final double[] mean; // [D]
  private final double[] eigenvalues; // [K], descending
  private final double[] components; // [K, D], the eigenvectors
  private final double epsilon;
  private final double[][] matrix; // [outputs][D]

  Projection(
      Kind kind, double[] mean, double[] eigenvalues, double[] components, double[] epsilon) {
    int inputs = mean.length;
    int count = eigenvalues.length;
    if (inputs == 0
        || count == 0
        || count > inputs
        || components.length != (long) count * inputs
        || epsilon.length != 1
        || (kind == Kind.ZCA && count != inputs)) {
      throw new IllegalArgumentException(
          "[projection] a mean [D], eigenvalues [K ≤ D; D for zca], components [K, D] and one"
              + " epsilon expected, found %d, %d, %d and %d values"
                  .formatted(inputs, count, components.length, epsilon.length));
    }
    for (double[] values : new double[][] {mean, eigenvalues, components, epsilon}) {
      for (double value : values) {
        if (!Double.isFinite(value)) {
          throw new IllegalArgumentException("[projection] finite values expected, found " + value);
        }
      }
    }
    for (double value : eigenvalues) {
      if (value < 0) {
        throw new IllegalArgumentException(
            "[projection] eigenvalues of at least 0 expected, as variances are, found " + value);
      }
    }
    if (epsilon[0] < 0) {
      throw new IllegalArgumentException(
          "[projection] an epsilon of at least 0 expected, found " + epsilon[0]);
    }
    this.kind = kind;
    this.mean = mean.clone();
    this.eigenvalues = eigenvalues.clone();
    this.components = components.clone();
    this.epsilon = epsilon[0];
    this.matrix = matrix();
  }

  /// The first `components` principal components.
  ///
  /// @throws IllegalArgumentException when `components` is not in `[1, features]`, or a value is
  ///   not finite
  public static Projection pca(Samples train, int components) {
    return fit(Kind.PCA, train, components, 0);
  }

  /// All principal components, scaled to variance 1, with [#DEFAULT_EPSILON].
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static Projection whitening(Samples train) {
    return whitening(train, train.features(), DEFAULT_EPSILON);
  }

  /// The first `components` principal components, scaled to variance 1.
  ///
  /// @throws IllegalArgumentException when `components` is not in `[1, features]`, `epsilon` is
  ///   negative, or a value is not finite
  public static Projection whitening(Samples train, int components, double epsilon) {
    return fit(Kind.WHITENING, train, components, epsilon);
  }

  /// Whitened and turned back, with [#DEFAULT_EPSILON].
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static Projection zca(Samples train) {
    return zca(train, DEFAULT_EPSILON);
  }

  /// Whitened and turned back.
  ///
  /// @throws IllegalArgumentException when `epsilon` is negative, or a value is not finite
  public static Projection zca(Samples train, double epsilon) {
    return fit(Kind.ZCA, train, train.features(), epsilon);
  }

  private static Projection fit(Kind kind, Samples train, int count, double epsilon) {
    String caller = kind.name().toLowerCase(Locale.ROOT);
    int inputs = train.features();
    if (count < 1 || count > inputs) {
      throw new IllegalArgumentException(
          "[%s] 1 to %d components expected, found %d".formatted(caller, inputs, count));
    }
    if (!(epsilon >= 0 && Double.isFinite(epsilon))) {
      throw new IllegalArgumentException(
          "[%s] an epsilon of at least 0 expected, found %s".formatted(caller, epsilon));
    }
    double[] mean = FeatureScaler.mean(train);
    SymmetricEigen eigen = SymmetricEigen.of(covariance(train, mean));
    double[] values = new double[count];
    double[] vectors = new double[Math.multiplyExact(count, inputs)];
    for (int i = 0; i < count; i++) {
      values[i] = Math.max(0, eigen.values()[i]); // below 0 by rounding only
      System.arraycopy(eigen.vectors()[i], 0, vectors, i * inputs, inputs);
    }
    double rounding = inputs * Math.ulp(values[0]);
    if (kind != Kind.PCA && epsilon == 0 && values[count - 1] <= rounding) {
      throw new IllegalArgumentException(
          "[%s] an epsilon greater than 0 expected: the samples do not vary in component %d"
              .formatted(caller, count - 1));
    }
    return new Projection(kind, mean, values, vectors, new double[] {epsilon});
  }

  private static double[][] covariance(Samples train, double[] mean) {
    int inputs = mean.length;
    double[][] covariance = new double[inputs][inputs];
    double[] sample = new double[inputs];
    for (int i = 0; i < train.size(); i++) {
      train.read(i, sample);
      for (int j = 0; j < inputs; j++) {
        sample[j] -= mean[j];
      }
      for (int j = 0; j < inputs; j++) {
        double[] row = covariance[j];
        double factor = sample[j];
        if (factor != 0) {
          for (int k = j; k < inputs; k++) {
            row[k] += factor * sample[k];
          }
        }
      }
    }
    for (int j = 0; j < inputs; j++) {
      for (int k = j; k < inputs; k++) {
        covariance[j][k] /= train.size();
        covariance[k][j] = covariance[j][k];
      }
    }
    return covariance;
  }

  private double[][] matrix() {
    int inputs = mean.length;
    double[][] scaled = new double[eigenvalues.length][];
    for (int i = 0; i < scaled.length; i++) {
      double scale = kind == Kind.PCA ? 1 : 1 / Math.sqrt(eigenvalues[i] + epsilon);
      scaled[i] =
          Arrays.stream(components, i * inputs, (i + 1) * inputs).map(c -> c * scale).toArray();
    }
    if (kind != Kind.ZCA) {
      return scaled;
    }
    double[][] turned = new double[inputs][inputs];
    for (int i = 0; i < inputs; i++) {
      for (int j = 0; j < inputs; j++) {
        double component = components[i * inputs + j];
        for (int k = 0; k < inputs; k++) {
          turned[j][k] += component * scaled[i][k];
        }
      }
    }
    return turned;
  }

  /// The mean of the training samples `[D]`; a copy.
  public double[] mean() {
    return mean.clone();
  }

  /// The variances of the components that are kept `[K]`, descending; a copy.
  public double[] eigenvalues() {
    return eigenvalues.clone();
  }

  /// The eigenvectors that are kept, `[K, D]`; a copy.
  public double[] components() {
    return components.clone();
  }

  /// Inputs from outputs. What was left out by fewer components is missing: the mean squared
  /// distance from the training samples is the sum of the eigenvalues left out.
  ///
  /// @throws IllegalArgumentException when the elements are not a number of whole outputs
  public float[] inverse(float[] outputs) {
    FeatureScaler.requireWhole(kind(), outputs.length, matrix.length);
    int inputs = mean.length;
    float[] restored = new float[Math.multiplyExact(outputs.length / matrix.length, inputs)];
    double[] sum = new double[inputs];
    for (int from = 0, to = 0; from < outputs.length; from += matrix.length, to += inputs) {
      System.arraycopy(mean, 0, sum, 0, inputs);
      for (int i = 0; i < eigenvalues.length; i++) {
        double coordinate = coordinate(outputs, from, i);
        for (int j = 0; j < inputs; j++) {
          sum[j] += coordinate * components[i * inputs + j];
        }
      }
      for (int j = 0; j < inputs; j++) {
        restored[to + j] = (float) sum[j];
      }
    }
    return restored;
  }

  /// Where an output lies along eigenvector `i`, before whitening.
  private double coordinate(float[] outputs, int from, int i) {
    double found = outputs[from + i];
    if (kind == Kind.ZCA) {
      found = 0;
      for (int j = 0; j < mean.length; j++) {
        found += components[i * mean.length + j] * outputs[from + j];
      }
    }
    return kind == Kind.PCA ? found : found * Math.sqrt(eigenvalues[i] + epsilon);
  }

  /// The same shape for [#zca]; else one pixel with a channel for each component.
  @Override
  public ImageShape output(ImageShape input) {
    requireFit(input.elements());
    return kind == Kind.ZCA ? input : new ImageShape(1, 1, matrix.length);
  }

  @Override
  public void apply(byte[] image, float[] target, int offset) {
    requireFit(image.length);
    double[] centred = new double[image.length];
    for (int j = 0; j < image.length; j++) {
      centred[j] = (image[j] & 0xFF) / 255.0 - mean[j];
    }
    project(centred, target, offset);
  }

  @Override
  public float[] apply(float[] inputs) {
    FeatureScaler.requireWhole(kind(), inputs.length, mean.length);
    float[] outputs = new float[inputs.length / mean.length * matrix.length];
    double[] centred = new double[mean.length];
    for (int from = 0, to = 0; from < inputs.length; from += mean.length, to += matrix.length) {
      for (int j = 0; j < mean.length; j++) {
        centred[j] = inputs[from + j] - mean[j];
      }
      project(centred, outputs, to);
    }
    return outputs;
  }

  private void project(double[] centred, float[] target, int offset) {
    for (int i = 0; i < matrix.length; i++) {
      double[] row = matrix[i];
      double sum = 0;
      for (int j = 0; j < centred.length; j++) {
        sum += row[j] * centred[j];
      }
      target[offset + i] = (float) sum;
    }
  }

  @Override
  public String kind() {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public Map<String, double[]> values() {
    return Map.of(
        "mean", mean(),
        "eigenvalues", eigenvalues(),
        "components", components(),
        "epsilon", new double[] {epsilon});
  }

  @Override
  public String toString() {
    return "%s of %d features to %d".formatted(kind(), mean.length, matrix.length);
  }

  private void requireFit(int found) {
    if (found != mean.length) {
      throw new IllegalArgumentException(
          "[%s] inputs of %d elements expected, as it was fitted on, found %d"
              .formatted(kind(), mean.length, found));
    }
  }
}
