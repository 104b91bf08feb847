package dev.gatun.data;

import dev.gatun.random.RandomStream;

/// Images of a batch mixed in pairs, and their targets with them: image i of n with image n - 1 -
/// i, which a shuffled order makes a random one. Both images of a pair go on, each mostly itself or
/// mostly the other. One λ is drawn for a batch. Evaluation never mixes.
public sealed interface Mixing {
  /// Nothing is mixed, and batches have labels alone.
  static Mixing none() {
    return new None();
  }

  /// Mixup (Zhang et al. 2018): λ x + (1 - λ) x', targets the same, λ from Beta(α, α). 0.2 is usual
  /// for large sets, 1 for CIFAR.
  static Mixing mixup(double alpha) {
    return new Mixup(alpha);
  }

  /// CutMix (Yun et al. 2019): a window with the share 1 - λ of the area exchanged, λ from Beta(α,
  /// α), its centre anywhere and cut off at the border; targets are mixed by the area that was
  /// really exchanged. 1 is usual.
  static Mixing cutMix(double alpha) {
    return new CutMix(alpha);
  }

  /// Mixes `count` images, and their targets.
  ///
  /// @param images `[count, height, width, channels]`, and more behind them
  /// @param targets `[count, classes]`, and more behind them
  void apply(float[] images, float[] targets, int count, Extents extents, RandomStream random);

  /// What a batch is made of.
  ///
  /// @param image the shape of an image
  /// @param classes numbers in a target
  record Extents(ImageShape image, int classes) {}

  /// Nothing is mixed.
  record None() implements Mixing {
    @Override
    public void apply(
        float[] images, float[] targets, int count, Extents extents, RandomStream random) {}
  }

  /// Weighted means.
  ///
  /// @param alpha of the distribution of λ
  record Mixup(double alpha) implements Mixing {
    /// @throws IllegalArgumentException when alpha is not greater than 0
    public Mixup {
      requireAlpha("mixup", alpha);
    }

    @Override
    public void apply(
        float[] images, float[] targets, int count, Extents extents, RandomStream random) {
      double share = random.nextBeta(alpha);
      int elements = extents.image().elements();
      for (int i = 0, j = count - 1; i < j; i++, j--) {
        blend(images, i * elements, j * elements, elements, share);
        blend(targets, i * extents.classes(), j * extents.classes(), extents.classes(), share);
      }
    }
  }

  /// Exchanged windows.
  ///
  /// @param alpha of the distribution of λ
  record CutMix(double alpha) implements Mixing {
    /// @throws IllegalArgumentException when alpha is not greater than 0
    public CutMix {
      requireAlpha("cutMix", alpha);
    }

    @Override
    public void apply(
        float[] images, float[] targets, int count, Extents extents, RandomStream random) {
      ImageShape shape = extents.image();
      double side = Math.sqrt(1 - random.nextBeta(alpha));
      int high = (int) (shape.height() * side);
      int wide = (int) (shape.width() * side);
      int top = random.nextInt(shape.height()) - high / 2;
      int left = random.nextInt(shape.width()) - wide / 2;
      int bottom = Math.min(shape.height(), top + high);
      int right = Math.min(shape.width(), left + wide);
      top = Math.max(0, top);
      left = Math.max(0, left);
      double exchanged = (double) Math.max(0, bottom - top) * Math.max(0, right - left);
      double share = 1 - exchanged / ((double) shape.height() * shape.width());
      for (int i = 0, j = count - 1; i < j; i++, j--) {
        for (int y = top; y < bottom; y++) {
          int from = (y * shape.width() + left) * shape.channels();
          int to = (y * shape.width() + right) * shape.channels();
          for (int k = from; k < to; k++) {
            float kept = images[i * shape.elements() + k];
            images[i * shape.elements() + k] = images[j * shape.elements() + k];
            images[j * shape.elements() + k] = kept;
          }
        }
        blend(targets, i * extents.classes(), j * extents.classes(), extents.classes(), share);
      }
    }
  }

  private static void blend(float[] values, int first, int second, int count, double share) {
    float own = (float) share;
    for (int k = 0; k < count; k++) {
      float a = values[first + k];
      float b = values[second + k];
      values[first + k] = own * a + (1 - own) * b;
      values[second + k] = own * b + (1 - own) * a;
    }
  }

  private static void requireAlpha(String name, double alpha) {
    if (!(alpha > 0 && Double.isFinite(alpha))) {
      throw new IllegalArgumentException(
          "[" + name + "] an alpha greater than 0 expected, found " + alpha);
    }
  }
}
