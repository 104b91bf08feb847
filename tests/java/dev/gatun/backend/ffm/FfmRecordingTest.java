package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FfmRecordingTest {
  private final FfmBackend backend = FfmBackend.cpu(1);
  private final Memory memory = backend.allocate(64, Memory.Kind.STAGING);
  private final View x = memory.view(0, DType.F32, Shape.of(4));
  private final View y = memory.view(16, DType.F32, Shape.of(4));

  @BeforeEach
  void fill() {
    memory.map().putFloat(0, 3);
  }

  @AfterEach
  void close() {
    x.close();
    y.close();
    memory.close();
    assertEquals(0, backend.memoryUse().bytes());
    backend.close();
  }

  @Test
  void recordedInstructions_runLaterAndOften() {
    try (Program program =
        backend.record(
            b -> {
              b.copy(y, x);
              b.fill(x, 8);
            })) {
      assertEquals(2, program.instructions());
      assertEquals(3, memory.map().getFloat(0), "recording must not run");
      program.run();
      assertEquals(3, memory.map().getFloat(16));
      assertEquals(8, memory.map().getFloat(0));
      program.run();
      assertEquals(8, memory.map().getFloat(16));
    }
  }

  @Test
  void eagerInstructionsDuringRecording_runAtOnce() {
    try (Program program = backend.record(b -> backend.fill(y, 4))) {
      assertEquals(0, program.instructions());
      assertEquals(4, memory.map().getFloat(16));
    }
  }

  @Test
  void emptyRecording_runs() {
    try (Program program = backend.record(b -> {})) {
      assertEquals(0, program.instructions());
      program.run();
    }
  }

  @Test
  void exceptionInTheRecording_passesThroughAndDropsIt() {
    RuntimeException mine = new RuntimeException("mine");
    RuntimeException seen =
        assertThrows(
            RuntimeException.class,
            () ->
                backend.record(
                    b -> {
                      b.fill(x, 1);
                      throw mine;
                    }));
    assertSame(mine, seen);
    assertEquals(3, memory.map().getFloat(0));
    backend.fill(x, 2);
    assertEquals(2, memory.map().getFloat(0));
  }

  @Test
  void wrongInstruction_isRefusedWhileRecording() {
    try (View three = memory.view(32, DType.F32, Shape.of(3))) {
      assertThrows(IllegalArgumentException.class, () -> backend.record(b -> b.copy(three, x)));
    }
  }

  @Test
  void nestedRecording_isRefused() {
    String message =
        Thrown.message(
            IllegalStateException.class, () -> backend.record(b -> b.record(inner -> {})));
    assertEquals("[record] a recording cannot be started inside a recording", message);
  }

  @Test
  void recordingBackend_isOverWithTheRecording() {
    List<Backend> escaped = new ArrayList<>();
    backend
        .record(
            b -> {
              assertThrows(IllegalStateException.class, b::close);
              assertEquals(backend.name(), b.name());
              assertEquals(backend.threads(), b.threads());
              assertEquals(backend.description(), b.description());
              escaped.add(b);
            })
        .close();
    String message =
        Thrown.message(IllegalStateException.class, () -> escaped.getFirst().fill(x, 1));
    assertEquals("[fill] the backend of a recording is closed", message);
    assertEquals(3, memory.map().getFloat(0));
  }

  @Test
  void run_allocatesNothing() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Program program = backend.record(b -> b.fill(x, 1))) {
      for (int i = 0; i < 20_000; i++) {
        program.run();
      }
      int runs = 10_000;
      long allocations = backend.memoryUse().allocations();
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < runs; i++) {
        program.run();
      }
      long bytes = threads.getCurrentThreadAllocatedBytes() - before;
      assertEquals(allocations, backend.memoryUse().allocations());
      // Not one object per run; the JVM's compilers may account for a little.
      assertTrue(bytes < runs, () -> bytes + " bytes for " + runs + " runs");
    }
  }
}
