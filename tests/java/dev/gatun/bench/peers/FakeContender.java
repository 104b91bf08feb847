package dev.gatun.bench.peers;

import java.util.List;

/// A side that takes the time it is told and notes in `diary` what is asked of it.
final class FakeContender implements Contender {
  private final String name;
  private final double[] times;
  private final float[] results;
  private final List<String> diary;
  private int turns;

  /// `times`: what the first, second, ... turn takes; the last one for all further turns.
  FakeContender(String name, List<String> diary, float[] results, double... times) {
    this.name = name;
    this.diary = diary;
    this.results = results;
    this.times = times;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Ready prepare(Work work) {
    diary.add(name + " prepare");
    if (times.length == 0) {
      throw new UnsupportedOperationException(name + " cannot");
    }
    return new Ready(times[0], results);
  }

  @Override
  public double[] measure(double seconds) {
    diary.add(name);
    double time = times[Math.min(turns++, times.length - 1)];
    if (time < 0) {
      throw new UnsupportedOperationException(name + " died");
    }
    return new double[] {time};
  }

  @Override
  public void release() {
    diary.add(name + " release");
  }

  @Override
  public void close() {}
}
