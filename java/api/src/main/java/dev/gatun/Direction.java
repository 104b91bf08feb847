package dev.gatun;

/// The order in which a recurrent layer walks through the steps of a sequence.
public enum Direction {
  /// From the first step to the last.
  FORWARD(1),
  /// From the last step to the first.
  REVERSE(1),
  /// Two cells, one in each order, side by side.
  BOTH(2);

  private final int count;

  Direction(int count) {
    this.count = count;
  }

  /// How many cells there are.
  public int count() {
    return count;
  }
}
