package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import java.util.function.IntToDoubleFunction;

/// Points around a centre for each class, for figures that need many short trainings.
///
/// @param inputs `[N, FEATURES]`
/// @param labels `[N]`
record Clusters(float[] inputs, int[] labels) {
  static final int FEATURES = 20;
  static final int CLASSES = 4;

  private static final int BATCH = 64;

  /// `count` points at a standard normal distance from centres whose coordinates have the deviation
  /// `apart`: the smaller, the more the classes overlap.
  static Clusters draw(int count, double apart, long seed) {
    RandomStream random = new RandomStream(seed, 0);
    double[] centres = new double[CLASSES * FEATURES];
    for (int i = 0; i < centres.length; i++) {
      centres[i] = apart * random.nextGaussian();
    }
    float[] inputs = new float[count * FEATURES];
    int[] labels = new int[count];
    for (int i = 0; i < inputs.length; i++) {
      int label = i / FEATURES % CLASSES;
      labels[i / FEATURES] = label;
      inputs[i] = (float) (centres[label * FEATURES + i % FEATURES] + random.nextGaussian());
    }
    return new Clusters(inputs, labels);
  }

  /// The losses of `steps` steps on batches drawn from these, each before its step.
  ///
  /// @param rate the learning rate of a step, from 0
  double[] losses(
      Device device, Net net, Optimizer optimizer, IntToDoubleFunction rate, int steps, long seed) {
    RandomStream random = new RandomStream(seed, 1);
    double[] losses = new double[steps];
    float[] some = new float[BATCH * FEATURES];
    int[] theirs = new int[BATCH];
    try (Trainer trainer = Trainer.of(net).on(device).seed(seed).optimizer(optimizer)) {
      for (int step = 0; step < steps; step++) {
        for (int i = 0; i < BATCH; i++) {
          int k = random.nextInt(labels.length);
          System.arraycopy(inputs, k * FEATURES, some, i * FEATURES, FEATURES);
          theirs[i] = labels[k];
        }
        losses[step] = trainer.step(some, theirs, rate.applyAsDouble(step));
      }
    }
    return losses;
  }
}
