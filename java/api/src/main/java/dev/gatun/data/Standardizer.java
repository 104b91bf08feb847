package dev.gatun.data;

import java.util.Arrays;
import java.util.Map;

/// Turns unsigned bytes into floats, per channel: `(value / 255 - mean) / standardDeviation`, as
/// ResNets do it; with [#center] only the mean is subtracted, as VGG does it.
public final class Standardizer implements Preprocessing {
  static final String KIND = "standardizer";

  private static final int LEVELS = 256;
  // Below this a channel is constant: it is centred only.
  private static final double SMALLEST_DEVIATION = 1e-8;

  private final double[] mean;
  private final double[] deviation;
  private final float[] table; // [channels, 256]

  private Standardizer(double[] mean, double[] deviation) {
    this.mean = mean;
    this.deviation = deviation;
    this.table = new float[mean.length * LEVELS];
    for (int c = 0; c < mean.length; c++) {
      for (int value = 0; value < LEVELS; value++) {
        table[c * LEVELS + value] = (float) ((value / 255.0 - mean[c]) / deviation[c]);
      }
    }
  }

  /// Mean and standard deviation (that of the population, `1/N`) of each channel of `dataset`.
  ///
  /// Counted in whole numbers, so that the result does not depend on an order of summation. A
  /// channel with one value everywhere gets a standard deviation of 1.
  public static Standardizer fit(Dataset dataset) {
    int channels = dataset.channels();
    byte[] image = new byte[dataset.image().elements()];
    long[] counts = new long[channels * LEVELS];
    for (int i = 0; i < dataset.size(); i++) {
      dataset.read(i, image, 0);
      for (int p = 0, c = 0; p < image.length; p++) {
        counts[c * LEVELS + (image[p] & 0xFF)]++;
        c = c + 1 == channels ? 0 : c + 1;
      }
    }
    double pixels = (double) dataset.size() * dataset.height() * dataset.width();
    double[] mean = new double[channels];
    double[] deviation = new double[channels];
    for (int c = 0; c < channels; c++) {
      double sum = 0;
      for (int value = 0; value < LEVELS; value++) {
        sum += counts[c * LEVELS + value] * (value / 255.0);
      }
      mean[c] = sum / pixels;
      double squares = 0;
      for (int value = 0; value < LEVELS; value++) {
        double distance = value / 255.0 - mean[c];
        squares += counts[c * LEVELS + value] * (distance * distance);
      }
      double found = Math.sqrt(squares / pixels);
      deviation[c] = found < SMALLEST_DEVIATION ? 1 : found;
    }
    return new Standardizer(mean, deviation);
  }

  /// The mean of each channel of `dataset`, subtracted; deviations stay as they are.
  public static Standardizer center(Dataset dataset) {
    Standardizer fitted = fit(dataset);
    Arrays.fill(fitted.deviation, 1);
    return of(fitted.mean, fitted.deviation);
  }

  /// Given means and standard deviations of values in `[0, 1]`, one of each per channel.
  ///
  /// @throws IllegalArgumentException when the lengths differ, are 0, a value is not finite, or a
  ///   deviation is not positive
  public static Standardizer of(double[] mean, double[] deviation) {
    if (mean.length == 0 || mean.length != deviation.length) {
      throw new IllegalArgumentException(
          "[standardize] one mean and one standard deviation per channel expected, found "
              + mean.length
              + " and "
              + deviation.length);
    }
    for (int c = 0; c < mean.length; c++) {
      if (!Double.isFinite(mean[c]) || !Double.isFinite(deviation[c]) || deviation[c] <= 0) {
        throw new IllegalArgumentException(
            "[standardize] channel "
                + c
                + ": a finite mean and a positive standard deviation "
                + "expected, found "
                + mean[c]
                + " and "
                + deviation[c]);
      }
    }
    return new Standardizer(mean.clone(), deviation.clone());
  }

  /// Values in `[0, 1]` for `channels` channels: division by 255, nothing else.
  ///
  /// @throws IllegalArgumentException when `channels` is below 1
  public static Standardizer scale(int channels) {
    if (channels < 1) {
      throw new IllegalArgumentException(
          "[standardize] channels must be at least 1, found " + channels);
    }
    double[] ones = new double[channels];
    Arrays.fill(ones, 1);
    return new Standardizer(new double[channels], ones);
  }

  /// The number of channels.
  public int channels() {
    return mean.length;
  }

  /// The mean of each channel, of values in `[0, 1]`; a copy.
  public double[] mean() {
    return mean.clone();
  }

  /// The standard deviation of each channel, of values in `[0, 1]`; a copy.
  public double[] deviation() {
    return deviation.clone();
  }

  @Override
  public ImageShape output(ImageShape input) {
    if (input.channels() != mean.length) {
      throw new IllegalArgumentException(
          "[standardize] images have "
              + input.channels()
              + " channels, the standardizer has "
              + mean.length);
    }
    return input;
  }

  /// Writes the whole of `image`, channels-last, to `target[offset ..]`. Allocates nothing.
  ///
  /// @throws IllegalArgumentException when the length is no multiple of the channels
  /// @throws IndexOutOfBoundsException when the target is too short
  @Override
  public void apply(byte[] image, float[] target, int offset) {
    int channels = mean.length;
    if (image.length % channels != 0) {
      throw new IllegalArgumentException(
          "[standardize] an image of "
              + image.length
              + " bytes does not have "
              + channels
              + " channels");
    }
    for (int c = 0; c < channels; c++) {
      int row = c * LEVELS;
      for (int p = c; p < image.length; p += channels) {
        target[offset + p] = table[row + (image[p] & 0xFF)];
      }
    }
  }

  /// What becomes of values that bytes stand for, in [0, 1]; channels-last.
  @Override
  public float[] apply(float[] inputs) {
    FeatureScaler.requireWhole("standardize", inputs.length, mean.length);
    float[] outputs = new float[inputs.length];
    for (int i = 0, c = 0; i < inputs.length; i++) {
      outputs[i] = (float) ((inputs[i] - mean[c]) / deviation[c]);
      c = c + 1 == mean.length ? 0 : c + 1;
    }
    return outputs;
  }

  @Override
  public String kind() {
    return KIND;
  }

  @Override
  public Map<String, double[]> values() {
    return Map.of("mean", mean(), "deviation", deviation());
  }

  @Override
  public String toString() {
    return "mean " + Arrays.toString(mean) + ", deviation " + Arrays.toString(deviation);
  }
}
