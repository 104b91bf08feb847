package dev.gatun.backend.reference;

import dev.gatun.backend.Program;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// A list of prepared instructions. Runs in several threads take turns.
final class ReferenceProgram implements Program {
  private final Runnable[] instructions;
  private final Set<ReferenceMemory> memories;
  private boolean closed;

  ReferenceProgram(List<Instruction> recorded) {
    instructions = recorded.stream().map(Instruction::loops).toArray(Runnable[]::new);
    memories =
        recorded.stream()
            .flatMap(instruction -> instruction.operands().stream())
            .map(operand -> operand.view().memory())
            .collect(Collectors.toUnmodifiableSet());
    memories.forEach(ReferenceMemory::hold);
  }

  @Override
  public synchronized void run() {
    if (closed) {
      throw new IllegalStateException(
          "[program] the program of %d instructions is closed".formatted(instructions.length));
    }
    for (Runnable instruction : instructions) {
      instruction.run();
    }
  }

  @Override
  public long instructions() {
    return instructions.length;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      memories.forEach(ReferenceMemory::release);
    }
  }
}
