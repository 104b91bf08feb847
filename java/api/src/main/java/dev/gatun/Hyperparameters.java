package dev.gatun;

/// The checks that optimizers share.
final class Hyperparameters {
  private Hyperparameters() {}

  /// Throws unless `holds`: `[adam] expected beta1 in [0, 1), found 1.0`.
  static void require(String optimizer, boolean holds, String expected, double found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "[%s] expected %s, found %s".formatted(optimizer, expected, found));
    }
  }

  static void learningRate(String optimizer, double rate) {
    require(optimizer, rate > 0 && Double.isFinite(rate), "a learning rate greater than 0", rate);
  }

  /// A share of an old mean that stays.
  static void share(String optimizer, String name, double share) {
    require(optimizer, share >= 0 && share < 1, name + " in [0, 1)", share);
  }

  static void epsilon(String optimizer, double epsilon) {
    require(
        optimizer, epsilon > 0 && Double.isFinite(epsilon), "an epsilon greater than 0", epsilon);
  }

  static void weightDecay(String optimizer, double weightDecay) {
    require(
        optimizer,
        weightDecay >= 0 && Double.isFinite(weightDecay),
        "a weight decay of at least 0",
        weightDecay);
  }
}
