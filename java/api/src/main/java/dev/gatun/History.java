package dev.gatun;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What happened in a training run.
public final class History {
  private final List<Epoch> epochs = new ArrayList<>();
  private float[] losses;
  private float[] seconds;
  private float[] gradientNorms;
  private int steps;
  private long images;
  private double trainSeconds;

  History(int expectedSteps) {
    losses = new float[Math.max(1, expectedSteps)];
    seconds = new float[losses.length];
    gradientNorms = new float[losses.length];
  }

  /// An epoch's figures.
  ///
  /// @param number from 1
  /// @param trainLoss the mean of the batch losses while training went on
  /// @param trainAccuracy the share of right answers while training went on
  /// @param test what the test set gave at the end of the epoch, null without one
  /// @param seconds of training, without the test
  public record Epoch(
      int number,
      double trainLoss,
      double trainAccuracy,
      @Nullable Evaluation test,
      double seconds) {}

  /// The epochs, also a last incomplete one.
  public List<Epoch> epochs() {
    return List.copyOf(epochs);
  }

  /// The loss of every step.
  public float[] losses() {
    return Arrays.copyOf(losses, steps);
  }

  /// The norm of every step's gradient over all parameters, before clipping; NaN where [Clipping]
  /// did not measure it.
  public float[] gradientNorms() {
    return Arrays.copyOf(gradientNorms, steps);
  }

  /// How many steps were done.
  public int steps() {
    return steps;
  }

  /// The duration in milliseconds that `share` of the steps did not exceed: 0.5 for the median. NaN
  /// without steps.
  public double stepMillis(double share) {
    if (!(share >= 0 && share <= 1)) {
      throw new IllegalArgumentException("[history] expected a share in [0, 1], found " + share);
    }
    float[] sorted = Arrays.copyOf(seconds, steps);
    Arrays.sort(sorted);
    return steps == 0 ? Double.NaN : 1000.0 * sorted[(int) Math.round(share * (steps - 1))];
  }

  /// Images trained on per second, waiting for data included.
  public double imagesPerSecond() {
    return images / trainSeconds;
  }

  /// The last epoch's test figures, null without a test set.
  public @Nullable Evaluation test() {
    return epochs.isEmpty() ? null : epochs.getLast().test();
  }

  /// What each epoch is judged by: the loss on the test set if there is one, else in training.
  List<Double> epochLosses() {
    return epochs.stream()
        .map(epoch -> epoch.test() == null ? epoch.trainLoss() : epoch.test().loss())
        .toList();
  }

  void add(double loss, double gradientNorm, double stepSeconds) {
    if (steps == losses.length) {
      losses = Arrays.copyOf(losses, 2 * steps);
      seconds = Arrays.copyOf(seconds, 2 * steps);
      gradientNorms = Arrays.copyOf(gradientNorms, 2 * steps);
    }
    losses[steps] = (float) loss;
    seconds[steps] = (float) stepSeconds;
    gradientNorms[steps] = (float) gradientNorm;
    steps++;
  }

  void add(Epoch epoch, long epochImages) {
    epochs.add(epoch);
    images += epochImages;
    trainSeconds += epoch.seconds();
  }
}
