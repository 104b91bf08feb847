package dev.gatun.diagnosis;

/// The loss before the first step, and what it should be near: the loss of who knows nothing and
/// gives equal outputs. That is ln C for softmax cross-entropy over C classes, ln 2 for binary
/// cross-entropy, C - 1 for the hinge loss.
///
/// @param found the loss of the untrained model
/// @param expected the loss if all outputs were 0
public record InitialLoss(double found, double expected) {
  /// Softmax cross-entropy exceeds ln C by about half of the outputs' variance; usual initialisers
  /// make that 2 or 3 at most.
  private static final double EXCESS = 3;

  private static final double SHORTFALL = 0.3;

  /// Whether outputs of moderate size explain the difference.
  public boolean isPlausible() {
    return found <= expected + EXCESS * Math.max(1, expected) && found >= SHORTFALL * expected;
  }

  @Override
  public String toString() {
    return "%s, equal outputs give %s".formatted(Words.number(found), Words.number(expected));
  }
}
