package dev.gatun;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What happened in a training run.
public final class History {
  private final List<Epoch> epochs = new ArrayList<>();
  private final List<Long> epochImages = new ArrayList<>();
  private final List<RollBack> rollBacks = new ArrayList<>();
  private float[] losses;
  private double[] learningRates;
  private float[] seconds;
  private float[] gradientNorms;
  private int steps;
  private @Nullable EarlyStopping stopping;
  private boolean stoppedEarly;

  History(int expectedSteps) {
    losses = new float[Math.max(1, expectedSteps)];
    learningRates = new double[losses.length];
    seconds = new float[losses.length];
    gradientNorms = new float[losses.length];
  }

  /// An epoch's figures.
  ///
  /// @param number from 1
  /// @param trainLoss the mean of the batch losses while training went on
  /// @param trainAccuracy the share of right answers while training went on: see [Evaluation]
  /// @param learningRate of its last step
  /// @param test what the test set gave at the end of the epoch, null without one
  /// @param seconds of training, without the test
  public record Epoch(
      int number,
      double trainLoss,
      double trainAccuracy,
      double learningRate,
      @Nullable Evaluation test,
      double seconds) {}

  /// A return to a moment when all was well: see [Recovery].
  ///
  /// @param from the step, from 1, whose loss was not finite, or which a test followed whose loss
  ///   was not
  /// @param to steps that had been done at the moment it went back to
  /// @param rate what the learning rate is multiplied by from then on, all returns together
  public record RollBack(long from, long to, double rate) {}

  /// The epochs, also a last incomplete one. Those of a run that was resumed are all there.
  public List<Epoch> epochs() {
    return List.copyOf(epochs);
  }

  /// The loss of every step.
  public float[] losses() {
    return Arrays.copyOf(losses, steps);
  }

  /// The learning rate of every step.
  public double[] learningRates() {
    return Arrays.copyOf(learningRates, steps);
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
    long images = epochImages.stream().mapToLong(Long::longValue).sum();
    return images / epochs.stream().mapToDouble(Epoch::seconds).sum();
  }

  /// The best epoch as the trainer's [EarlyStopping] judges it, else that with the least loss; null
  /// if there is none whose figure is a number.
  public @Nullable Epoch best() {
    EarlyStopping rule = stopping == null ? EarlyStopping.never() : stopping;
    int best = rule.best(epochs);
    return best < 0 ? null : epochs.get(best);
  }

  /// Whether the run ended before its time because epochs did not become better.
  public boolean stoppedEarly() {
    return stoppedEarly;
  }

  /// How often, and where, the run went back because its loss was not finite. Steps and epochs that
  /// it undid are not in this history.
  public List<RollBack> rollBacks() {
    return List.copyOf(rollBacks);
  }

  /// The last epoch's test figures, null without a test set.
  public @Nullable Evaluation test() {
    return epochs.isEmpty() ? null : epochs.getLast().test();
  }

  /// What each epoch is judged by: the loss on the test set if there is one, else in training.
  List<Double> epochLosses() {
    return epochs.stream()
        .map(epoch -> epoch.test() == null ? epoch.trainLoss() : epoch.test().loss())
        .collect(Collectors.toUnmodifiableList()); // which no moment copies once more
  }

  void add(double loss, double learningRate, double gradientNorm, double stepSeconds) {
    if (steps == losses.length) {
      losses = Arrays.copyOf(losses, 2 * steps);
      learningRates = Arrays.copyOf(learningRates, 2 * steps);
      seconds = Arrays.copyOf(seconds, 2 * steps);
      gradientNorms = Arrays.copyOf(gradientNorms, 2 * steps);
    }
    losses[steps] = (float) loss;
    learningRates[steps] = learningRate;
    seconds[steps] = (float) stepSeconds;
    gradientNorms[steps] = (float) gradientNorm;
    steps++;
  }

  void add(Epoch epoch, long images) {
    epochs.add(epoch);
    epochImages.add(images);
  }

  void add(RollBack rollBack) {
    rollBacks.add(rollBack);
  }

  /// Forgets what came after these.
  void truncate(int keptSteps, int keptEpochs) {
    steps = Math.min(steps, keptSteps);
    epochs.subList(Math.min(epochs.size(), keptEpochs), epochs.size()).clear();
    epochImages.subList(epochs.size(), epochImages.size()).clear();
  }

  /// What judges the epochs, and whether it ended the run.
  void judge(EarlyStopping rule, boolean ended) {
    stopping = rule;
    stoppedEarly = ended;
  }

  /// How many images the epoch of this index had.
  long images(int epoch) {
    return epochImages.get(epoch);
  }

  /// The loss of the last step.
  float lastLoss() {
    return losses[steps - 1];
  }

  /// The learning rate of the last step.
  double lastLearningRate() {
    return learningRates[steps - 1];
  }

  /// The duration of every step.
  float[] seconds() {
    return Arrays.copyOf(seconds, steps);
  }

  /// One line: how many steps and epochs, and the figures of the last epoch.
  @Override
  public String toString() {
    return epochs.isEmpty()
        ? "%d steps".formatted(steps)
        : "%d steps in %d epochs, the last: %s".formatted(steps, epochs.size(), epochs.getLast());
  }
}
