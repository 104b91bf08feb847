package dev.gatun.train;

import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import dev.gatun.random.RandomStream;

/// Sets made for these tests: each class has a picture of its own, and noise lies over it.
final class Pictures {
  static final int CLASSES = 10;

  private Pictures() {}

  /// `count` pictures whose noise is `noise` times as strong as what tells the classes apart. Sets
  /// of different seeds have the same classes.
  static Dataset noisy(int count, ImageShape image, double noise, long seed) {
    RandomStream prototypes = new RandomStream(11, 0);
    double[] classes = new double[CLASSES * image.elements()];
    for (int i = 0; i < classes.length; i++) {
      classes[i] = prototypes.nextGaussian();
    }
    RandomStream random = new RandomStream(seed, 1);
    byte[] pixels = new byte[count * image.elements()];
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      labels[i] = i < CLASSES ? i : random.nextInt(CLASSES);
      for (int k = 0; k < image.elements(); k++) {
        double value = classes[labels[i] * image.elements() + k] + noise * random.nextGaussian();
        pixels[i * image.elements() + k] = (byte) Math.clamp(Math.round(128 + 40 * value), 0, 255);
      }
    }
    return MemoryDataset.of("noisy pictures", image, pixels, labels);
  }

  /// Standard normal numbers.
  static float[] normal(int count, long seed) {
    RandomStream random = new RandomStream(seed, 2);
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }

  /// `count` labels below `classes`.
  static int[] labels(int count, int classes, long seed) {
    RandomStream random = new RandomStream(seed, 3);
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      labels[i] = random.nextInt(classes);
    }
    return labels;
  }
}
