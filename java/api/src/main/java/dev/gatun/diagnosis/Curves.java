package dev.gatun.diagnosis;

import dev.gatun.Evaluation;
import dev.gatun.History;
import java.util.List;

/// What a run looked like, epoch by epoch.
///
/// @param epochs in their order
public record Curves(List<Epoch> epochs) {
  /// Copies the epochs.
  public Curves {
    epochs = List.copyOf(epochs);
  }

  /// An epoch.
  ///
  /// @param number from 1
  /// @param trainLoss the mean of the batch losses
  /// @param trainAccuracy the share of right answers in training
  /// @param testLoss on the test set, NaN without one
  /// @param testAccuracy on the test set, NaN without one
  /// @param rate the learning rate of its last step, NaN if it is not known
  public record Epoch(
      int number,
      double trainLoss,
      double trainAccuracy,
      double testLoss,
      double testAccuracy,
      double rate) {
    static Epoch of(History.Epoch epoch, double rate) {
      Evaluation test = epoch.test();
      return new Epoch(
          epoch.number(),
          epoch.trainLoss(),
          epoch.trainAccuracy(),
          test == null ? Double.NaN : test.loss(),
          test == null ? Double.NaN : test.accuracy(),
          rate);
    }

    boolean isTested() {
      return !Double.isNaN(testLoss);
    }
  }

  /// The curves of a finished run. A history does not know learning rates, so rules about these say
  /// nothing: see [CurveWatcher].
  public static Curves of(History history) {
    return new Curves(history.epochs().stream().map(epoch -> Epoch.of(epoch, Double.NaN)).toList());
  }

  int size() {
    return epochs.size();
  }

  /// The training loss of the epoch of this index, from 0.
  double loss(int index) {
    return epochs.get(index).trainLoss();
  }

  double rate(int index) {
    return epochs.get(index).rate();
  }

  double greatestRate() {
    return epochs.stream().mapToDouble(Epoch::rate).max().orElse(Double.NaN);
  }

  /// The mean training loss of the epochs from `from` to before `to`.
  double meanLoss(int from, int to) {
    return epochs.subList(from, to).stream().mapToDouble(Epoch::trainLoss).average().orElse(0);
  }

  /// By what share of itself the training loss fell between the two last quarters.
  double lateFall() {
    int part = Math.max(1, size() / 4);
    double before = meanLoss(size() - 2 * part, size() - part);
    return 1 - meanLoss(size() - part, size()) / before;
  }
}
