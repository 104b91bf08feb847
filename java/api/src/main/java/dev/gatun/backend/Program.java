package dev.gatun.backend;

/// Instructions that were recorded once and run many times.
public interface Program extends AutoCloseable {
  /// Runs all instructions in order and waits for them. One downcall on a native backend; allocates
  /// nothing.
  ///
  /// @throws IllegalStateException if the program is closed
  void run();

  /// Says that a tensor which the recording held ([Backend#hold]) has changed.
  default void refresh() {}

  /// How many instructions were recorded.
  long instructions();

  /// Gives the program back; a second call does nothing.
  @Override
  void close();
}
