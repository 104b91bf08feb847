package dev.gatun.bench.peers;

/// A side as the driver sees it.
public interface Contender extends AutoCloseable {
  /// The name in the table.
  String name();

  /// Makes it ready for a work.
  ///
  /// @throws UnsupportedOperationException if it cannot do that, saying why
  Ready prepare(Work work);

  /// The times of the prepared work in milliseconds, over about `seconds`; at least one.
  double[] measure(double seconds);

  /// Gives back what the prepared work holds.
  void release();

  @Override
  void close();

  /// A side that is warm.
  ///
  /// @param millis about the time of the work
  /// @param results what it computes, see [Side.Task#results]
  record Ready(double millis, float[] results) {}
}
