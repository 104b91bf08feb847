package dev.gatun.data;

import dev.gatun.math.SymmetricEigen;
import dev.gatun.random.RandomStream;
import java.util.Arrays;

/// The same random colour added to all pixels of an image, along the directions in which the
/// colours of the training set vary (Krizhevsky et al. 2012): Σ αᵢ λᵢ pᵢ with αᵢ normal of
/// deviation `deviation`, λᵢ and pᵢ the eigenvalues and eigenvectors of the covariance of all
/// pixels, as values in [0, 1]. So the offset has the covariance Σ (deviation · λᵢ)² pᵢ pᵢᵀ.
public final class ColorOffset implements Augmentation {
  private final double deviation;
  private final double[] eigenvalues;
  private final double[][] eigenvectors;

  private ColorOffset(double deviation, double[] eigenvalues, double[][] eigenvectors) {
    this.deviation = deviation;
    this.eigenvalues = eigenvalues;
    this.eigenvectors = eigenvectors;
  }

  /// Fitted on the pixels of `train`; 0.1 is Krizhevsky's deviation.
  ///
  /// @throws IllegalArgumentException when the deviation is not greater than 0
  public static ColorOffset fit(Dataset train, double deviation) {
    if (!(deviation > 0 && Double.isFinite(deviation))) {
      throw new IllegalArgumentException(
          "[colorOffset] a deviation greater than 0 expected, found " + deviation);
    }
    int channels = train.channels();
    byte[] image = new byte[train.image().elements()];
    long[] sums = new long[channels]; // whole numbers: no order of summation
    long[][] products = new long[channels][channels];
    for (int i = 0; i < train.size(); i++) {
      train.read(i, image, 0);
      for (int p = 0; p < image.length; p += channels) {
        for (int c = 0; c < channels; c++) {
          long value = image[p + c] & 0xFF;
          sums[c] += value;
          for (int d = 0; d < channels; d++) {
            products[c][d] += value * (image[p + d] & 0xFF);
          }
        }
      }
    }
    double pixels = (double) train.size() * image.length / channels;
    double[][] covariance = new double[channels][channels];
    for (int c = 0; c < channels; c++) {
      for (int d = 0; d < channels; d++) {
        double means = sums[c] / pixels * (sums[d] / pixels);
        covariance[c][d] = (products[c][d] / pixels - means) / (255.0 * 255.0);
      }
    }
    SymmetricEigen eigen = SymmetricEigen.of(covariance);
    return new ColorOffset(deviation, eigen.values(), eigen.vectors());
  }

  /// The variances along the directions, descending; a copy.
  public double[] eigenvalues() {
    return eigenvalues.clone();
  }

  /// The directions; a copy.
  public double[][] eigenvectors() {
    return Arrays.stream(eigenvectors).map(double[]::clone).toArray(double[][]::new);
  }

  @Override
  public ImageShape output(ImageShape input) {
    if (input.channels() != eigenvalues.length) {
      throw new IllegalArgumentException(
          "[colorOffset] it was fitted on "
              + eigenvalues.length
              + " channels, found an image of "
              + input);
    }
    return input;
  }

  @Override
  public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
    int channels = eigenvalues.length;
    System.arraycopy(source, 0, target, 0, input.elements());
    // Drawn anew for each channel from the same place of the stream, so that nothing is allocated.
    long start = random.position();
    for (int c = 0; c < channels; c++) {
      random.skipTo(start);
      double offset = 255 * offset(c, random);
      for (int p = c; p < input.elements(); p += channels) {
        target[p] = ColorJitter.clamped((source[p] & 0xFF) + offset);
      }
    }
  }

  /// What is added to a channel.
  double offset(int channel, RandomStream random) {
    double offset = 0;
    for (int i = 0; i < eigenvalues.length; i++) {
      offset += deviation * random.nextGaussian() * eigenvalues[i] * eigenvectors[i][channel];
    }
    return offset;
  }
}
