package dev.gatun.backend.reference;

import dev.gatun.backend.Program;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A list of prepared instructions, which keep the arrays they work on. Runs in several threads
/// take turns.
final class ReferenceProgram implements Program {
  private final int length;
  private Runnable @Nullable [] instructions; // null when closed

  private final @Nullable ReferenceFrames frames;

  ReferenceProgram(List<Instruction> recorded, @Nullable ReferenceFrames frames) {
    this.frames = frames;
    instructions = recorded.stream().map(Instruction::loops).toArray(Runnable[]::new);
    length = recorded.size();
  }

  @Override
  public synchronized void run() {
    Runnable[] open = open();
    if (frames != null) {
      frames.requireIdle("run");
    }
    run(open);
  }

  private static void run(Runnable[] instructions) {
    for (Runnable instruction : instructions) {
      instruction.run();
    }
  }

  @Override
  public synchronized void feed(int first, int count) {
    open();
    frames("feed").feed(first, count);
  }

  @Override
  public synchronized void start(int first, int count) {
    Runnable[] open = open();
    ReferenceFrames present = frames("start");
    present.start(first, count);
    boolean whole = false;
    try {
      for (int i = first; i < first + count; i++) {
        present.load(i);
        run(open);
        present.store(i);
      }
      whole = true;
    } finally {
      if (!whole) {
        present.finish();
      }
    }
  }

  @Override
  public synchronized void await() {
    open();
    frames("await").finish();
  }

  private Runnable[] open() {
    if (instructions == null) {
      throw new IllegalStateException(
          "[program] the program of %d instructions is closed".formatted(length));
    }
    return instructions;
  }

  private ReferenceFrames frames(String op) {
    if (frames == null) {
      throw new IllegalArgumentException(
          "[%s] the program was recorded without frames".formatted(op));
    }
    return frames;
  }

  @Override
  public long instructions() {
    return length;
  }

  @Override
  public synchronized void close() {
    instructions = null;
  }
}
