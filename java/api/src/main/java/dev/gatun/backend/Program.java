package dev.gatun.backend;

/// Instructions that were recorded once and run many times.
///
/// A program that was recorded with [Backend.Frames] also runs on these, several runs a call, and
/// on one device copies of frames to come go on meanwhile:
///
/// ```java
/// program.feed(0, 2);
/// program.start(0, 2); // two runs, each on a frame
/// program.feed(2, 2); // which are copied while the first two run
/// program.await(); // what the first two gave is in their frames
/// program.start(2, 2);
/// ```
public interface Program extends AutoCloseable {
  /// Runs all instructions in order and waits for them. One downcall on a native backend; allocates
  /// nothing.
  ///
  /// @throws IllegalStateException if the program is closed
  void run();

  /// Begins to copy `count` frames to the device, which the host then leaves alone until they have
  /// run and were awaited, or are fed anew. Allocates nothing.
  ///
  /// @throws IllegalArgumentException if there are no such frames, or some run now
  void feed(int first, int count);

  /// Begins to run the program once on each of `count` frames, in order. Each takes what the
  /// program reads of the current frame from its own, and leaves there what the program writes. One
  /// downcall on a native backend; allocates nothing. Where nothing goes on beside Java, all is
  /// done when this returns.
  ///
  /// @throws IllegalArgumentException if there are no such frames, one was not fed since it ran
  ///   last, or the program was started and not awaited
  void start(int first, int count);

  /// Waits until what was started is done, if anything was.
  void await();

  /// Says that a tensor which the recording held ([Backend#hold]) has changed.
  default void refresh() {}

  /// How many instructions were recorded.
  long instructions();

  /// Gives the program back; a second call does nothing.
  @Override
  void close();
}
