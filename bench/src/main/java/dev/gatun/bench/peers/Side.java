package dev.gatun.bench.peers;

/// A library that takes part, inside its own process.
public interface Side {
  /// What identifies the library, with its version.
  String description();

  /// The work with operands of its own, ready to run.
  ///
  /// @throws UnsupportedOperationException if the library cannot do it, saying why
  Task prepare(Work work);

  /// A prepared work.
  interface Task extends AutoCloseable {
    /// Does it once and waits for the end.
    void run();

    /// What a first run has computed, for comparison with other sides: [Values#sample] of each
    /// result in the work's own layout, or what the work's kind says. Called once, after one run.
    float[] results();

    /// Gives the operands back.
    @Override
    void close();
  }
}
