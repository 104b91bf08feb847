package dev.gatun.backend.reference;

import dev.gatun.backend.Program;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A list of prepared instructions, which keep the arrays they work on. Runs in several threads
/// take turns.
final class ReferenceProgram implements Program {
  private final int length;
  private Runnable @Nullable [] instructions; // null when closed

  ReferenceProgram(List<Instruction> recorded) {
    instructions = recorded.stream().map(Instruction::loops).toArray(Runnable[]::new);
    length = recorded.size();
  }

  @Override
  public synchronized void run() {
    if (instructions == null) {
      throw new IllegalStateException(
          "[program] the program of %d instructions is closed".formatted(length));
    }
    for (Runnable instruction : instructions) {
      instruction.run();
    }
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
