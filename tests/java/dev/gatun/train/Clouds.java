package dev.gatun.train;

import dev.gatun.Device;
import dev.gatun.Model;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;

/// Clouds of points around a centre for each class, which lie over each other; labels take turns.
///
/// @param inputs `[N, FEATURES]`
/// @param labels `[N]`
record Clouds(float[] inputs, int[] labels) {
  static final int FEATURES = 20;
  static final int CLASSES = 4;

  /// The loss of who guesses.
  static final double GUESS = Math.log(CLASSES);

  /// One thread: steps of this size are too short to share.
  static Device device() {
    Backends.requireNative();
    return Holder.DEVICE;
  }

  private static final class Holder {
    static final Device DEVICE = Device.cpu(1);
  }

  /// `count` points at a standard normal distance from centres whose coordinates have the deviation
  /// `apart`. Parts of one seed have the same centres.
  static Clouds of(int count, double apart, long seed, int part) {
    double[] centres = new double[CLASSES * FEATURES];
    RandomStream random = new RandomStream(seed, 0);
    for (int i = 0; i < centres.length; i++) {
      centres[i] = apart * random.nextGaussian();
    }
    RandomStream points = new RandomStream(seed, 1 + part);
    float[] inputs = new float[count * FEATURES];
    int[] labels = new int[count];
    for (int i = 0; i < inputs.length; i++) {
      labels[i / FEATURES] = i / FEATURES % CLASSES;
      inputs[i] =
          (float) (centres[labels[i / FEATURES] * FEATURES + i % FEATURES] + points.nextGaussian());
    }
    return new Clouds(inputs, labels);
  }

  /// Any `size` of them.
  Clouds batch(RandomStream random, int size) {
    float[] some = new float[size * FEATURES];
    int[] theirs = new int[size];
    for (int i = 0; i < size; i++) {
      int k = random.nextInt(labels.length);
      System.arraycopy(inputs, k * FEATURES, some, i * FEATURES, FEATURES);
      theirs[i] = labels[k];
    }
    return new Clouds(some, theirs);
  }

  /// The same with noise of this deviation over the inputs.
  Clouds disturbed(double deviation, long seed) {
    RandomStream random = new RandomStream(seed, 100);
    float[] noisy = inputs.clone();
    for (int i = 0; i < noisy.length; i++) {
      noisy[i] += (float) (deviation * random.nextGaussian());
    }
    return new Clouds(noisy, labels);
  }

  /// A step on all of them; the loss before it.
  float step(Trainer trainer, double rate) {
    return trainer.step(inputs, labels, rate);
  }

  /// The mean cross-entropy in inference.
  double loss(Model model) {
    float[] outputs = model.predict(inputs);
    double sum = 0;
    for (int i = 0; i < labels.length; i++) {
      double greatest = Double.NEGATIVE_INFINITY;
      for (int c = 0; c < CLASSES; c++) {
        greatest = Math.max(greatest, outputs[i * CLASSES + c]);
      }
      double exponentials = 0;
      for (int c = 0; c < CLASSES; c++) {
        exponentials += Math.exp(outputs[i * CLASSES + c] - greatest);
      }
      sum += Math.log(exponentials) + greatest - outputs[i * CLASSES + labels[i]];
    }
    return sum / labels.length;
  }

  /// The share of right answers.
  double accuracy(Model model) {
    float[] outputs = model.predict(inputs);
    int right = 0;
    for (int i = 0; i < labels.length; i++) {
      int best = 0;
      for (int c = 1; c < CLASSES; c++) {
        best = outputs[i * CLASSES + c] > outputs[i * CLASSES + best] ? c : best;
      }
      right += best == labels[i] ? 1 : 0;
    }
    return (double) right / labels.length;
  }
}
