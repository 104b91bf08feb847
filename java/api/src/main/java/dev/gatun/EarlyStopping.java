package dev.gatun;

import java.util.List;

/// When a run ends before its time, and which of its epochs it keeps: `trainer.stopEarly(...)`.
///
/// ```java
/// EarlyStopping.patience(5).restoreBest()       // stop after 5 epochs without a better one
/// EarlyStopping.never().restoreBest()           // train long, and keep the best epoch's weights
/// ```
///
/// Epochs are judged by the loss on the test set, or in training if there is none; by default any
/// smaller loss is better. A pure function of the epochs so far, so a run that is resumed from a
/// checkpoint stops where it would have stopped anyway. A test set that decides when to stop is
/// part of training: report figures of a third one.
///
/// @param patience epochs in a row, at least 1, that are not better than the best before them
/// @param minImprovement by how much an epoch must be better to count as better, at least 0
/// @param measure what is judged
/// @param restoresBest whether the best epoch's weights and layer states come back at the end
public record EarlyStopping(
    int patience, double minImprovement, Measure measure, boolean restoresBest) {
  /// What epochs are judged by.
  public enum Measure {
    /// The loss; less is better.
    LOSS,
    /// The share of right answers; more is better.
    ACCURACY
  }

  /// Checks the ranges.
  public EarlyStopping {
    Hyperparameters.require("earlyStopping", patience >= 1, "a patience of at least 1", patience);
    Hyperparameters.require(
        "earlyStopping",
        minImprovement >= 0 && Double.isFinite(minImprovement),
        "a least improvement of at least 0",
        minImprovement);
  }

  /// Stops after this many epochs in a row that were not better; keeps the last weights.
  public static EarlyStopping patience(int epochs) {
    return new EarlyStopping(epochs, 0, Measure.LOSS, false);
  }

  /// Does not stop; with [#restoreBest] the way to train long and keep the best.
  public static EarlyStopping never() {
    return patience(Integer.MAX_VALUE);
  }

  /// The same, and at the end the best epoch's weights and layer states come back, those of an
  /// average too. The optimizer's state does not.
  public EarlyStopping restoreBest() {
    return new EarlyStopping(patience, minImprovement, measure, true);
  }

  /// The same judging by accuracy.
  public EarlyStopping byAccuracy() {
    return new EarlyStopping(patience, minImprovement, Measure.ACCURACY, restoresBest);
  }

  /// The same where an epoch must be better by more than this.
  public EarlyStopping minImprovement(double difference) {
    return new EarlyStopping(patience, difference, measure, restoresBest);
  }

  /// The index of the best of these epochs: the last that was better than the best before it. -1 if
  /// there is none; what is NaN is never better.
  public int best(List<History.Epoch> epochs) {
    int best = -1;
    for (int i = 0; i < epochs.size(); i++) {
      double value = value(epochs.get(i));
      boolean better =
          best < 0 ? !Double.isNaN(value) : value(epochs.get(best)) - value > minImprovement;
      best = better ? i : best;
    }
    return best;
  }

  /// Whether a run with these epochs ends.
  public boolean stops(List<History.Epoch> epochs) {
    return epochs.size() - 1 - best(epochs) >= patience;
  }

  /// Of which less is better.
  private double value(History.Epoch epoch) {
    Evaluation test = epoch.test();
    return switch (measure) {
      case LOSS -> test == null ? epoch.trainLoss() : test.loss();
      case ACCURACY -> -(test == null ? epoch.trainAccuracy() : test.accuracy());
    };
  }
}
