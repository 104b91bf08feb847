package dev.gatun;

import java.util.Arrays;

/// What outputs of a classifier say, as [Model#predict] gives them:
///
/// ```java
/// Predictions predictions = Predictions.of(model.predict(inputs), 10);
/// int[] classesOfInputs = predictions.best();
/// float[] probabilities = predictions.probabilities();
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
    double[] powers = new double[width];
    for (int n = 0; n < size(); n++) {
      if (width == 1) {
        shares[n] = (float) (1 / (1 + Math.exp(-logits[n])));
        continue;
      }
      double greatest = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < width; k++) {
        greatest = Math.max(greatest, logits[n * width + k]);
      }
      for (int k = 0; k < width; k++) {
        powers[k] = Math.exp(logits[n * width + k] - greatest);
      }
      double sum = Arrays.stream(powers).sum();
      for (int k = 0; k < width; k++) {
        shares[n * width + k] = (float) (powers[k] / sum);
      }
    }
    return shares;
  }

  @Override
  public String toString() {
    return "predictions of %d classes for %d inputs".formatted(classes(), size());
  }
}
