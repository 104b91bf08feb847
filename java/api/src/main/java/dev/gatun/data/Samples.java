package dev.gatun.data;

import java.util.Objects;

/// Vectors of numbers of one length, read by index: what a [FeatureScaler] or a [Projection] is
/// fitted on. Give it the training set only; the fitted transformation is then applied to all.
public interface Samples {
  /// How many vectors there are, at least 1.
  int size();

  /// How many numbers a vector has, at least 1.
  int features();

  /// Writes vector `index` to the beginning of `target`.
  ///
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())`
  void read(int index, double[] target);

  /// The images of `dataset`, channels-last, each byte divided by 255.
  static Samples of(Dataset dataset) {
    byte[] image = new byte[dataset.image().elements()];
    return new Samples() {
      @Override
      public int size() {
        return dataset.size();
      }

      @Override
      public int features() {
        return image.length;
      }

      @Override
      public void read(int index, double[] target) {
        dataset.read(index, image, 0);
        for (int i = 0; i < image.length; i++) {
          target[i] = (image[i] & 0xFF) / 255.0;
        }
      }
    };
  }

  /// Vectors of `features` numbers one after the other.
  ///
  /// @throws IllegalArgumentException when there is none, or the last one is not whole
  static Samples of(float[] elements, int features) {
    if (features < 1 || elements.length == 0 || elements.length % features != 0) {
      throw new IllegalArgumentException(
          "[samples] a multiple of "
              + features
              + " elements expected, at least one vector, found "
              + elements.length);
    }
    return new Samples() {
      @Override
      public int size() {
        return elements.length / features;
      }

      @Override
      public int features() {
        return features;
      }

      @Override
      public void read(int index, double[] target) {
        int start = Objects.checkIndex(index, size()) * features;
        for (int i = 0; i < features; i++) {
          target[i] = elements[start + i];
        }
      }
    };
  }
}
