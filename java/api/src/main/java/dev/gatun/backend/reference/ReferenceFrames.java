package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Frames;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/// Frames as arrays, and which calls of a program are due. A run works on a copy of its whole
/// frame, which comes back as a whole.
final class ReferenceFrames {
  private final ByteBuffer current;
  private final ByteBuffer all;
  private final int bytes;
  private final boolean[] fed; // since they ran last
  private int first; // of those that were started
  private int running; // how many

  private ReferenceFrames(ByteBuffer current, ByteBuffer all) {
    this.current = current;
    this.all = all;
    bytes = current.capacity();
    fed = new boolean[all.capacity() / bytes];
  }

  /// The frames of a program of these instructions.
  static ReferenceFrames of(Frames frames, List<Instruction> instructions) {
    long one = frames.current().bytes();
    long bytes = frames.all().bytes();
    if (one == 0 || bytes == 0 || bytes % one != 0) {
      throw new IllegalArgumentException(
          "[record] frames of %d bytes are not some of the current one's %d".formatted(bytes, one));
    }
    for (Instruction instruction : instructions) {
      for (Operand operand : instruction.operands()) {
        if (operand.view().memory() == frames.all()) {
          throw new IllegalArgumentException(
              "[%s] %s lies in the frames; it must lie in the current one"
                  .formatted(instruction.op(), operand.name()));
        }
      }
    }
    return new ReferenceFrames(frames.current().map(), frames.all().map());
  }

  void feed(int from, int count) {
    requireRange("feed", from, count);
    if (running > 0 && from < first + running && from + count > first) {
      throw new IllegalArgumentException(
          "[feed] of %d frames from %d on, some run now: await the program first"
              .formatted(count, from));
    }
    Arrays.fill(fed, from, from + count, true);
  }

  void start(int from, int count) {
    requireRange("start", from, count);
    requireIdle("start");
    for (int i = from; i < from + count; i++) {
      if (!fed[i]) {
        throw new IllegalArgumentException(
            "[start] frame %d was not fed since it ran last".formatted(i));
      }
    }
    Arrays.fill(fed, from, from + count, false);
    first = from;
    running = count;
  }

  void finish() {
    running = 0;
  }

  void requireIdle(String op) {
    if (running > 0) {
      throw new IllegalArgumentException(
          "[%s] the program was started: await it first".formatted(op));
    }
  }

  void load(int frame) {
    current.put(0, all, frame * bytes, bytes);
  }

  void store(int frame) {
    all.put(frame * bytes, current, 0, bytes);
  }

  private void requireRange(String op, int from, int count) {
    if (from < 0 || count < 1 || count > fed.length - from) {
      throw new IllegalArgumentException(
          "[%s] %d frames from %d on are not some of %d".formatted(op, count, from, fed.length));
    }
  }
}
