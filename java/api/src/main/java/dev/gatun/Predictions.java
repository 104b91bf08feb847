package dev.gatun;

import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.stream.IntStream;

/// What outputs of a classifier say, as [Model#predict] gives them:
///
/// ```java
/// Predictions predictions = Predictions.of(model.predict(inputs), 10);
/// int[] classesOfInputs = predictions.best();
/// float[] probabilities = predictions.probabilities();
/// int[] drawn = predictions.temperature(0.8).top(5).sample(new RandomStream(1, 0));
/// ```
///
/// Immutable.
public final class Predictions {
  private final float[] logits;
  private final int width;

  private Predictions(float[] logits, int width) {
    this.logits = logits;
    this.width = width;
  }

  /// What `logits` say, as they are for [Loss#softmaxCrossEntropy] or, one for each input, for
  /// [Loss#binaryCrossEntropy].
  ///
  /// @param logits `[N, outputs]`; copied
  /// @param outputs of an input: as many as there are classes, or 1 for a yes or no
  /// @throws ShapeException if they are not a number of whole rows
  public static Predictions of(float[] logits, int outputs) {
    if (outputs < 1 || logits.length % outputs != 0) {
      throw new ShapeException(
          "[predictions] expected a multiple of %d logits, and at least 1 output, found %d"
              .formatted(outputs, logits.length));
    }
    return new Predictions(logits.clone(), outputs);
  }

  /// How many inputs there were.
  public int size() {
    return logits.length / width;
  }

  /// How many classes are told apart; 2 by one output.
  public int classes() {
    return Math.max(2, width);
  }

  /// The most probable class of each input, `[N]`, the first of equal ones. Of one output it is 1
  /// where that is above 0, a probability of ½.
  public int[] best() {
    int[] best = new int[size()];
    for (int n = 0; n < best.length; n++) {
      for (int k = 1; k < width; k++) {
        best[n] = logits[n * width + k] > logits[n * width + best[n]] ? k : best[n];
      }
      if (width == 1) {
        best[n] = logits[n] > 0 ? 1 : 0;
      }
    }
    return best;
  }

  /// The probabilities of the classes, `[N, outputs]`: the softmax of each row; of one output the
  /// sigmoid, which is that of class 1.
  public float[] probabilities() {
    float[] shares = new float[logits.length];
    double[] powers = new double[classes()];
    for (int n = 0; n < size(); n++) {
      double sum = weights(n, powers);
      for (int k = 0; k < width; k++) {
        shares[n * width + k] = (float) (powers[width == 1 ? 1 : k] / sum);
      }
    }
    return shares;
  }

  /// The same with logits divided by this: below 1 what is likely becomes more so, above 1 less.
  ///
  /// @throws IllegalArgumentException if it is not finite, or not above 0
  public Predictions temperature(double temperature) {
    if (!(temperature > 0 && Double.isFinite(temperature))) {
      throw new IllegalArgumentException(
          "[predictions] expected a finite temperature above 0, found " + temperature);
    }
    float[] changed = logits.clone();
    for (int n = 0; n < size(); n++) {
      double greatest = width == 1 ? 0 : greatest(n); // so that nothing overflows
      for (int i = n * width; i < (n + 1) * width; i++) {
        changed[i] = (float) ((logits[i] - greatest) / temperature);
      }
    }
    return new Predictions(changed, width);
  }

  /// The same where only the `count` most probable classes of each input are left, the first of
  /// equal ones; the others have probability 0.
  ///
  /// @throws IllegalArgumentException if there is none
  public Predictions top(int count) {
    if (count < 1) {
      throw new IllegalArgumentException(
          "[predictions] expected at least 1 class to stay, found " + count);
    }
    if (count >= classes()) {
      return this;
    }
    float[] changed = new float[logits.length];
    Arrays.fill(changed, Float.NEGATIVE_INFINITY);
    for (int n = 0; n < size(); n++) {
      if (width == 1) {
        float no = Float.isNaN(logits[n]) ? Float.NaN : Float.NEGATIVE_INFINITY;
        changed[n] = logits[n] > 0 ? Float.POSITIVE_INFINITY : no;
        continue;
      }
      IntStream.range(n * width, (n + 1) * width)
          .boxed()
          .sorted((i, j) -> Float.compare(logits[j] + 0f, logits[i] + 0f)) // -0 is 0
          .limit(count)
          .forEach(i -> changed[i] = logits[i]);
    }
    return new Predictions(changed, width);
  }

  /// A class for each input, drawn by its probabilities, `[N]`; takes one number from `random` for
  /// each.
  ///
  /// @throws IllegalArgumentException if the logits of an input are no distribution: one is NaN or
  ///   infinite, or all are minus infinity
  public int[] sample(RandomStream random) {
    int[] drawn = new int[size()];
    double[] powers = new double[classes()];
    for (int n = 0; n < drawn.length; n++) {
      double sum = weights(n, powers);
      if (!Double.isFinite(sum)) {
        throw new IllegalArgumentException(
            "[predictions] expected finite logits to draw from, found %s for input %d"
                .formatted(greatest(n), n));
      }
      double left = random.nextDouble(0, sum);
      for (int k = 0; k < powers.length && left >= 0; k++) {
        if (powers[k] > 0) { // by rounding, something may be left behind the last of these
          drawn[n] = k;
          left -= powers[k];
        }
      }
    }
    return drawn;
  }

  /// Writes numbers to `weights` that are as the probabilities of an input's classes; their sum,
  /// which is NaN if the logits are no distribution.
  private double weights(int n, double[] weights) {
    if (width == 1) {
      weights[1] = 1 / (1 + Math.exp(-logits[n]));
      weights[0] = 1 - weights[1];
      return weights[0] + weights[1];
    }
    double greatest = greatest(n);
    double sum = 0;
    for (int k = 0; k < width; k++) {
      weights[k] = Math.exp(logits[n * width + k] - greatest);
      sum += weights[k];
    }
    return sum;
  }

  private double greatest(int n) {
    double greatest = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < width; k++) {
      greatest = Math.max(greatest, logits[n * width + k]);
    }
    return greatest;
  }

  @Override
  public String toString() {
    return "predictions of %d classes for %d inputs".formatted(classes(), size());
  }
}
