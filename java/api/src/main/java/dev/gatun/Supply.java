package dev.gatun;

/// Fills the frames of a step with batches: those of the next call, in the half that the step does
/// not work on where there are two.
final class Supply {
  private final Feed feed;
  private final TrainingStep step;
  private final Marker marker;
  private int half;
  private int wanted; // batches in the next call; 0 if there is none yet
  private int filled;

  /// Sets the scalars of a batch.
  interface Marker {
    /// Sets them in `frame`, whose batch comes `ahead` batches after the present one.
    void mark(StepFrame frame, long ahead);
  }

  Supply(Feed feed, TrainingStep step, Marker marker) {
    this.feed = feed;
    this.step = step;
    this.marker = marker;
  }

  /// Forgets what was filled: the feed goes elsewhere.
  void restart() {
    wanted = 0;
    filled = 0;
  }

  /// Whether the next call was begun to be filled.
  boolean isBegun() {
    return wanted > 0;
  }

  /// The next call has so many batches.
  void begin(int batches) {
    wanted = batches;
  }

  /// Fills what the next call still lacks and feeds it to the device. Returns the seconds that this
  /// took, without waiting for data.
  double fill() {
    return fill(0, true);
  }

  /// Fills what is there, as long as no data has to be waited for.
  ///
  /// @param running batches of the present call
  void fillMeanwhile(int running) {
    fill(running, false);
  }

  private double fill(int running, boolean waits) {
    long nanos = 0;
    int before = filled;
    while (filled < wanted && (waits || feed.isReady())) {
      feed.await();
      long begin = System.nanoTime();
      StepFrame frame = step.frame(half, filled);
      feed.fill(frame);
      marker.mark(frame, running + filled);
      filled++;
      nanos += System.nanoTime() - begin;
    }
    if (filled > before) {
      step.feed(half, before, filled - before);
    }
    return nanos * 1e-9;
  }

  /// Takes the batches away for a call. Returns the half they are in; what is filled from here on
  /// goes to the other one.
  int take() {
    int taken = half;
    half = step.worksAhead() ? 1 - half : half;
    restart();
    return taken;
  }

  /// How many batches the next call has.
  int wanted() {
    return wanted;
  }
}
