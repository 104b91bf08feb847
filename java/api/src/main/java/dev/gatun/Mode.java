package dev.gatun;

/// What a network is traced for. It is an argument of the trace and part of what is compiled, never
/// a hidden state.
public enum Mode {
  /// Batch statistics, dropout, gradients.
  TRAINING,
  /// Running statistics, no randomness.
  INFERENCE,
  /// Running statistics, but dropout: what [MonteCarlo] predicts with.
  SAMPLING
}
