package dev.gatun;

/// What training makes small: a function of the network's outputs and the labels to a scalar.
@FunctionalInterface
public interface Loss {
  /// The mean loss of a batch.
  ///
  /// @param outputs of the network, `[N, ...]`
  /// @param labels `[N]` of [DType#I32]; negative ones mark rows that do not count
  Tensor apply(Tensor outputs, Tensor labels);

  /// The mean of `-log softmax(outputs)[label]`, ln C for C classes at the start of training.
  static Loss softmaxCrossEntropy() {
    return Tensor::softmaxCrossEntropy;
  }
}
