package dev.gatun.search;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Span;
import dev.gatun.Watcher;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// One choice of hyper-parameters that a [Search] tries.
public final class Trial {
  private final int stage;
  private final int number;
  private final int of;
  private final Span length;
  private final Map<Parameter<?>, Object> values; // in the order of the space
  private final Giving giving;
  private final List<List<Double>> earlier;

  private double firstLoss = Double.NaN;
  private final List<Double> epochs = new ArrayList<>();

  /// When a trial is given up.
  ///
  /// @param factor how many times the first loss is too much
  /// @param grace epochs before a trial is compared with earlier ones; the greatest whole number
  ///   for never
  /// @param goal what the score is
  record Giving(double factor, int grace, Goal goal) {}

  /// @param earlier the scores after each epoch of the trials before
  Trial(
      int stage,
      int number,
      int of,
      Span length,
      Map<Parameter<?>, Object> values,
      Giving giving,
      List<List<Double>> earlier) {
    this.stage = stage;
    this.number = number;
    this.of = of;
    this.length = length;
    this.values = values;
    this.giving = giving;
    this.earlier = earlier;
  }

  /// The number of its stage, from 1.
  public int stage() {
    return stage;
  }

  /// Its number in its stage, from 1.
  public int number() {
    return number;
  }

  /// How many trials the stage has.
  public int of() {
    return of;
  }

  /// How long it is to train.
  public Span length() {
    return length;
  }

  /// The value of a hyper-parameter, which is found by its name.
  ///
  /// @throws IllegalArgumentException if the search has no such parameter
  @SuppressWarnings("unchecked") // a narrowed parameter keeps its name and the type of its values
  public <T> T get(Parameter<T> parameter) {
    for (Map.Entry<Parameter<?>, Object> entry : values.entrySet()) {
      if (entry.getKey().name().equals(parameter.name())) {
        return (T) entry.getValue();
      }
    }
    throw new IllegalArgumentException(
        "[search] the space has no parameter %s; it has %s"
            .formatted(parameter.name(), values.keySet().stream().map(Parameter::name).toList()));
  }

  /// Gives the trial up when it is hopeless: `trainer.watch(trial.watcher())`. Losses are those of
  /// the steps; scores those of the epochs, on the test set if there is one.
  public Watcher watcher() {
    return new Watcher() {
      @Override
      public void step(Step step) {
        loss(step.loss());
      }

      @Override
      public void epoch(History.Epoch epoch) {
        Evaluation test = epoch.test();
        Trial.this.epoch(
            giving.goal() == Goal.ACCURACY
                ? (test == null ? epoch.trainAccuracy() : test.accuracy())
                : (test == null ? epoch.trainLoss() : test.loss()));
      }
    };
  }

  /// For training loops of your own: the loss of a step.
  ///
  /// @throws GivenUpException if it is not finite or too many times the first one
  public void loss(double loss) {
    firstLoss = Double.isNaN(firstLoss) ? loss : firstLoss;
    double most = firstLoss + (giving.factor() - 1) * Math.abs(firstLoss);
    if (!(loss <= most) || Double.isInfinite(loss)) {
      throw new GivenUpException(
          String.format(
              Locale.ROOT, "the loss came to %.4g from %.4g at the start", loss, firstLoss),
          Double.NaN);
    }
  }

  /// For training loops of your own: the score after an epoch.
  ///
  /// @throws GivenUpException if trials are compared and its best so far is worse than the median
  ///   of the earlier trials' best at this epoch
  public void epoch(double score) {
    Goal goal = giving.goal();
    epochs.add(epochs.isEmpty() ? score : goal.better(score, epochs.getLast()));
    int done = epochs.size();
    double[] others =
        earlier.stream()
            .filter(scores -> scores.size() >= done)
            .mapToDouble(scores -> scores.get(done - 1))
            .sorted()
            .toArray();
    if (done < giving.grace() || others.length < Search.FEWEST_COMPARED) {
      return;
    }
    double median = (others[(others.length - 1) / 2] + others[others.length / 2]) / 2;
    if (goal.isBetter(median, epochs.getLast())) {
      throw new GivenUpException(
          String.format(
              Locale.ROOT,
              "%s %.4f after epoch %d is behind the median, %.4f",
              goal.label(),
              epochs.getLast(),
              done,
              median),
          epochs.getLast());
    }
  }

  /// The best scores up to each epoch.
  List<Double> epochs() {
    return epochs;
  }

  /// The values by the names of their parameters, in the order of the space.
  public Map<String, Object> values() {
    Map<String, Object> named = new LinkedHashMap<>();
    values.forEach((parameter, value) -> named.put(parameter.name(), value));
    return named;
  }

  /// The same in words.
  List<String> words() {
    return values.entrySet().stream()
        .map(entry -> format(entry.getKey(), entry.getValue()))
        .toList();
  }

  /// As logs have it: `lr: 1.405206e-04, reg: 4.793564e-01`.
  @Override
  public String toString() {
    return values.entrySet().stream()
        .map(entry -> entry.getKey().name() + ": " + format(entry.getKey(), entry.getValue()))
        .collect(Collectors.joining(", "));
  }

  @SuppressWarnings("unchecked") // a value belongs to its parameter
  private static <T> String format(Parameter<T> parameter, Object value) {
    return parameter.format((T) value);
  }
}
