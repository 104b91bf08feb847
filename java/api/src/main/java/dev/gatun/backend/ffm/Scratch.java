package dev.gatun.backend.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A little native memory per thread, for the out parameters and short arrays of one downcall. It
/// spares each call an Arena. Downcalls do not call back, so a thread uses it for one call at a
/// time.
final class Scratch {
  static final int BYTES = 1024;

  // An automatic arena: the memory goes when the thread has gone.
  private static final ThreadLocal<MemorySegment> SEGMENT =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(BYTES, Long.BYTES));

  private Scratch() {}

  static MemorySegment segment() {
    return SEGMENT.get();
  }
}
