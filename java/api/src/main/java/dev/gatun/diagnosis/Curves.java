package dev.gatun.diagnosis;

import dev.gatun.Evaluation;
import dev.gatun.History;
import java.util.List;

/// What a run looked like, epoch by epoch; of a run that goes on, what a [dev.gatun.Watcher] was
/// told so far.
///
/// @param epochs in their order
public record Curves(List<History.Epoch> epochs) {
  /// Copies the epochs.
  public Curves {
    epochs = List.copyOf(epochs);
  }

  /// The curves of a finished run.
  public static Curves of(History history) {
    return new Curves(history.epochs());
  }

  int size() {
    return epochs.size();
  }

  /// The training loss of the epoch of this index, from 0.
  double loss(int index) {
    return epochs.get(index).trainLoss();
  }

  /// Its loss on the test set, NaN without one.
  double testLoss(int index) {
    Evaluation test = epochs.get(index).test();
    return test == null ? Double.NaN : test.loss();
  }

  /// The learning rate at its end.
  double rate(int index) {
    return epochs.get(index).learningRate();
  }

  double greatestRate() {
    return epochs.stream().mapToDouble(History.Epoch::learningRate).max().orElse(Double.NaN);
  }

  /// The mean training loss of the epochs from `from` to before `to`.
  double meanLoss(int from, int to) {
    return epochs.subList(from, to).stream()
        .mapToDouble(History.Epoch::trainLoss)
        .average()
        .orElse(0);
  }

  /// By what share of itself the training loss fell between the two last quarters.
  double lateFall() {
    int part = Math.max(1, size() / 4);
    double before = meanLoss(size() - 2 * part, size() - part);
    return 1 - meanLoss(size() - part, size()) / before;
  }
}
