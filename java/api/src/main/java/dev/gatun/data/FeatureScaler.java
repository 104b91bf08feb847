package dev.gatun.data;

import java.util.Arrays;
import java.util.Map;

/// `(x - offset) / divisor` for each feature, fitted on training samples. A feature that is the
/// same in all of them is not stretched by what its own values are: [#standardize] and [#robust]
/// only shift it, [#minMax] takes it for one of width 1, as scikit-learn does.
///
/// Features are the columns of a table or the elements of an image; the pixels of one channel have
/// each their own, unlike those of a [Standardizer].
public final class FeatureScaler implements Preprocessing {
  static final String KIND = "scaler";

  /// Values of a block of features that [#robust] sorts at a time.
  private static final int SORTED_AT_ONCE = 1 << 24;

  private final double[] offset;
  private final double[] divisor;

  private FeatureScaler(double[] offset, double[] divisor) {
    this.offset = offset;
    this.divisor = divisor;
  }

  /// Given offsets and divisors, one of each per feature.
  ///
  /// @throws IllegalArgumentException when the lengths differ, are 0, a value is not finite, or a
  ///   divisor is 0
  public static FeatureScaler of(double[] offset, double[] divisor) {
    if (offset.length == 0 || offset.length != divisor.length) {
      throw new IllegalArgumentException(
          "[scaler] one offset and one divisor per feature expected, found "
              + offset.length
              + " and "
              + divisor.length);
    }
    for (int i = 0; i < offset.length; i++) {
      if (!Double.isFinite(offset[i]) || !Double.isFinite(divisor[i]) || divisor[i] == 0) {
        throw new IllegalArgumentException(
            "[scaler] feature "
                + i
                + ": a finite offset and divisor expected, found "
                + offset[i]
                + " and "
                + divisor[i]);
      }
    }
    return new FeatureScaler(offset.clone(), divisor.clone());
  }

  /// `x - mean`: of images, the mean image is subtracted (Krizhevsky et al. 2012).
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static FeatureScaler center(Samples train) {
    double[] ones = new double[train.features()];
    Arrays.fill(ones, 1);
    return new FeatureScaler(mean(train), ones);
  }

  /// `(x - mean) / deviation`, the deviation being `√(1/N Σ(x - mean)²)`.
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static FeatureScaler standardize(Samples train) {
    double[] mean = mean(train);
    double[] squares = new double[mean.length];
    double[] sample = new double[mean.length];
    for (int i = 0; i < train.size(); i++) {
      train.read(i, sample);
      for (int j = 0; j < mean.length; j++) {
        squares[j] += (sample[j] - mean[j]) * (sample[j] - mean[j]);
      }
    }
    double[] deviation = new double[mean.length];
    for (int j = 0; j < mean.length; j++) {
      double rounding = train.size() * Math.ulp(mean[j]); // of a mean of equal values, at most
      deviation[j] = divisor(Math.sqrt(squares[j] / train.size()), rounding);
    }
    return new FeatureScaler(mean, deviation);
  }

  /// `(x - min) / (max - min)`: the training samples fill [0, 1].
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static FeatureScaler minMax(Samples train) {
    return minMax(train, 0, 1);
  }

  /// `low + (x - min) / (max - min) · (high - low)`: the training samples fill [low, high].
  ///
  /// @throws IllegalArgumentException when a value is not finite, or `low` is not below `high`
  public static FeatureScaler minMax(Samples train, double low, double high) {
    if (!(low < high) || !Double.isFinite(high - low)) {
      throw new IllegalArgumentException(
          "[minMax] an interval expected, found [" + low + ", " + high + "]");
    }
    int features = train.features();
    double[] min = new double[features];
    double[] max = new double[features];
    Arrays.fill(min, Double.POSITIVE_INFINITY);
    Arrays.fill(max, Double.NEGATIVE_INFINITY);
    double[] sample = new double[features];
    for (int i = 0; i < train.size(); i++) {
      train.read(i, sample);
      requireFinite(sample, i);
      for (int j = 0; j < features; j++) {
        min[j] = Math.min(min[j], sample[j]);
        max[j] = Math.max(max[j], sample[j]);
      }
    }
    double[] divisor = new double[features];
    for (int j = 0; j < features; j++) {
      divisor[j] = divisor(max[j] - min[j], 0) / (high - low);
      min[j] -= low * divisor[j];
    }
    return new FeatureScaler(min, divisor);
  }

  /// `(x - median) / (third quartile - first quartile)`: outliers do not count. Quartiles lie
  /// between samples by linear interpolation, as in NumPy.
  ///
  /// @throws IllegalArgumentException when a value is not finite
  public static FeatureScaler robust(Samples train) {
    int features = train.features();
    int size = train.size();
    double[] median = new double[features];
    double[] range = new double[features];
    double[] sample = new double[features];
    int block = Math.clamp(SORTED_AT_ONCE / size, 1, features);
    for (int first = 0; first < features; first += block) {
      int count = Math.min(block, features - first);
      double[][] columns = new double[count][size];
      for (int i = 0; i < size; i++) {
        train.read(i, sample);
        requireFinite(sample, i);
        for (int j = 0; j < count; j++) {
          columns[j][i] = sample[first + j];
        }
      }
      for (int j = 0; j < count; j++) {
        Arrays.sort(columns[j]);
        median[first + j] = quantile(columns[j], 0.5);
        double between = quantile(columns[j], 0.75) - quantile(columns[j], 0.25);
        range[first + j] = divisor(between, 0);
      }
    }
    return new FeatureScaler(median, range);
  }

  /// The number of features.
  public int features() {
    return offset.length;
  }

  /// What is subtracted from each feature; a copy.
  public double[] offset() {
    return offset.clone();
  }

  /// What each feature is divided by then; a copy.
  public double[] divisor() {
    return divisor.clone();
  }

  @Override
  public ImageShape output(ImageShape input) {
    requireFit(input.elements());
    return input;
  }

  @Override
  public void apply(byte[] image, float[] target, int offsetInTarget) {
    requireFit(image.length);
    for (int i = 0; i < image.length; i++) {
      target[offsetInTarget + i] = (float) (((image[i] & 0xFF) / 255.0 - offset[i]) / divisor[i]);
    }
  }

  @Override
  public float[] apply(float[] inputs) {
    requireWhole(KIND, inputs.length, offset.length);
    float[] outputs = new float[inputs.length];
    for (int start = 0; start < inputs.length; start += offset.length) {
      for (int j = 0; j < offset.length; j++) {
        outputs[start + j] = (float) ((inputs[start + j] - offset[j]) / divisor[j]);
      }
    }
    return outputs;
  }

  /// Inputs from outputs: `x · divisor + offset`. So targets of a regression are scaled as inputs
  /// are, and predictions are brought back:
  ///
  /// ```java
  /// Table table = Table.read(Path.of("houses.csv"), Table.Format.csv().header());
  /// float[] prices = table.numbers("price");
  /// FeatureScaler scaler = FeatureScaler.standardize(Samples.of(prices, 1));
  /// float[] inputs = table.numbers("area", "rooms");
  /// Examples examples = Examples.of(inputs, scaler.apply(prices), prices.length);
  /// float[] predicted = scaler.inverse(model.predict(inputs));
  /// ```
  ///
  /// @throws IllegalArgumentException when the elements are not a number of whole outputs
  public float[] inverse(float[] outputs) {
    requireWhole(KIND, outputs.length, offset.length);
    float[] inputs = new float[outputs.length];
    for (int start = 0; start < outputs.length; start += offset.length) {
      for (int j = 0; j < offset.length; j++) {
        inputs[start + j] = (float) (outputs[start + j] * divisor[j] + offset[j]);
      }
    }
    return inputs;
  }

  @Override
  public String kind() {
    return KIND;
  }

  @Override
  public Map<String, double[]> values() {
    return Map.of("offset", offset(), "divisor", divisor());
  }

  @Override
  public String toString() {
    return "scaler of %d features".formatted(offset.length);
  }

  static void requireWhole(String caller, int found, int features) {
    if (found % features != 0) {
      throw new IllegalArgumentException(
          "["
              + caller
              + "] a multiple of "
              + features
              + " features expected, found "
              + found
              + " elements");
    }
  }

  /// The mean of each feature.
  static double[] mean(Samples train) {
    double[] mean = new double[train.features()];
    double[] sample = new double[mean.length];
    for (int i = 0; i < train.size(); i++) {
      train.read(i, sample);
      requireFinite(sample, i);
      for (int j = 0; j < mean.length; j++) {
        mean[j] += sample[j];
      }
    }
    for (int j = 0; j < mean.length; j++) {
      mean[j] /= train.size();
    }
    return mean;
  }

  private void requireFit(int found) {
    if (found != offset.length) {
      throw new IllegalArgumentException(
          "[scaler] inputs of "
              + offset.length
              + " elements expected, as it was fitted on, found "
              + found);
    }
  }

  private static void requireFinite(double[] sample, int index) {
    for (int j = 0; j < sample.length; j++) {
      if (!Double.isFinite(sample[j])) {
        throw new IllegalArgumentException(
            "[scaler] sample "
                + index
                + ", feature "
                + j
                + ": a finite value expected, found "
                + sample[j]);
      }
    }
  }

  /// 1 for a spread that is nothing but rounding.
  private static double divisor(double spread, double rounding) {
    return spread <= rounding ? 1 : spread;
  }

  private static double quantile(double[] sorted, double share) {
    double place = share * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }
}
