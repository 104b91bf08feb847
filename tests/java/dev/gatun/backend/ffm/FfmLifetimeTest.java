package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// Use after close, double close, order of closing, closing while others use.
class FfmLifetimeTest {
  private final FfmBackend backend = FfmBackend.cpu(2);

  @AfterEach
  void everythingIsGivenBack() {
    assertEquals(0, backend.memoryUse().bytes());
    backend.close();
  }

  @Test
  void closedView_isRefusedByNameInEveryPosition() {
    try (Memory memory = backend.allocate(64, Memory.Kind.DEVICE);
        View open = memory.view(0, DType.F32, Shape.of(2, 3))) {
      View closed = memory.view(32, DType.F32, Shape.of(2, 3));
      closed.close();
      closed.close();
      assertClosed("[copy] view F32 (2, 3) is closed", () -> backend.copy(closed, open));
      assertClosed("[copy] view F32 (2, 3) is closed", () -> backend.copy(open, closed));
      backend.fill(open, 1); // the refused calls have let go of what they held
    }
  }

  @Test
  void refusedCall_letsGoOfItsOperands() {
    Memory memory = backend.allocate(64, Memory.Kind.DEVICE);
    View view = memory.view(0, DType.F32, Shape.of(4));
    View closed = memory.view(0, DType.F32, Shape.of(4));
    closed.close();
    assertThrows(IllegalStateException.class, () -> backend.copy(view, closed));
    view.close();
    memory.close();
    assertEquals(0, backend.memoryUse().bytes(), "the refused call still holds the view");
  }

  @Test
  void view_outlivesItsMemory() {
    Memory memory = backend.allocate(16, Memory.Kind.DEVICE);
    View view = memory.view(0, DType.F32, Shape.of(4));
    memory.close();
    assertTrue(backend.memoryUse().bytes() > 0);
    backend.fill(view, 1);
    view.close();
  }

  @Test
  void program_outlivesMemoryViewsAndBackend() {
    FfmBackend brief = FfmBackend.cpu(1);
    Memory memory = brief.allocate(16, Memory.Kind.STAGING);
    View view = memory.view(0, DType.F32, Shape.of(4));
    Program program = brief.record(b -> b.fill(view, 5));
    view.close();
    brief.close();
    assertEquals(1, program.instructions());
    program.run();
    assertEquals(5, memory.map().getFloat(12));
    memory.close();
    program.run();
    program.close();
    program.close();
    assertClosed("[run] program of 1 instructions is closed", program::run);
  }

  @Test
  void closedBackend_isRefusedByName() {
    FfmBackend closed = FfmBackend.cpu(1);
    Memory memory = closed.allocate(16, Memory.Kind.STAGING);
    View view = memory.view(0, DType.F32, Shape.of(4));
    closed.close();
    closed.close();
    String name = "backend cpu, 1 thread, ";
    assertTrue(closed.toString().startsWith(name), closed.toString());
    assertClosed("[fill] " + closed + " is closed", () -> closed.fill(view, 1));
    assertClosed(
        "[allocate] " + closed + " is closed", () -> closed.allocate(1, Memory.Kind.DEVICE));
    assertClosed("[record] " + closed + " is closed", () -> closed.record(b -> {}));
    assertClosed("[memoryUse] " + closed + " is closed", closed::memoryUse);
    memory.write(0, ByteBuffer.allocate(16)); // what was made here stays valid
    view.close();
    memory.close();
  }

  @Test
  void viewOfAnotherDevice_isRefused() {
    try (FfmBackend other = FfmBackend.cpu(1);
        Memory memory = other.allocate(16, Memory.Kind.DEVICE);
        View view = memory.view(0, DType.F32, Shape.of(4))) {
      String message = Thrown.message(IllegalArgumentException.class, () -> backend.fill(view, 1));
      assertTrue(message.contains("not on the stream's device"), message);
    }
  }

  @Test
  void viewOfAnotherImplementation_isRefused() {
    View foreign =
        new View() {
          @Override
          public DType dtype() {
            return DType.F64;
          }

          @Override
          public Shape shape() {
            return Shape.of(7);
          }

          @Override
          public void close() {}
        };
    String message = Thrown.message(IllegalArgumentException.class, () -> backend.fill(foreign, 1));
    assertTrue(message.startsWith("[fill] an operand F64 (7) belongs to another backend"), message);
  }

  @Test
  void windowThatDoesNotFitTheWeights_isRefused() {
    try (Memory memory = backend.allocate(4096, Memory.Kind.DEVICE);
        View x = memory.view(0, DType.F32, Shape.of(1, 4, 4, 1));
        View w = memory.view(1024, DType.F32, Shape.of(1, 3, 3, 1));
        View dx = memory.view(2048, DType.F32, Shape.of(1, 4, 4, 1))) {
      String message =
          Thrown.message(
              IllegalArgumentException.class,
              () ->
                  backend.conv2dBackwardData(
                      dx,
                      null,
                      x,
                      w,
                      null,
                      null,
                      null,
                      null,
                      Window.square(5, 1, 2),
                      ConvAlgorithm.AUTO));
      assertEquals(
          "[conv2d_backward_data] the window is 5x5, but w has the shape (1, 3, 3, 1)", message);
    }
  }

  @Test
  void closingWhileOthersUse_neverReachesNativeCodeWithADestroyedHandle() throws Exception {
    try (ExecutorService pool = Executors.newFixedThreadPool(3)) {
      for (int round = 0; round < 300; round++) {
        Memory memory = backend.allocate(4096, Memory.Kind.STAGING);
        View view = memory.view(0, DType.F32, Shape.of(1024));
        Program program = backend.record(b -> b.fill(view, 1));
        List<Future<?>> users = new ArrayList<>();
        users.add(pool.submit(() -> untilClosed(() -> backend.fill(view, 2))));
        users.add(pool.submit(() -> untilClosed(program::run)));
        users.add(pool.submit(() -> untilClosed(() -> memory.read(0, ByteBuffer.allocate(64)))));
        Thread.onSpinWait();
        view.close();
        memory.close();
        program.close();
        for (Future<?> user : users) {
          user.get(60, TimeUnit.SECONDS);
        }
      }
    }
  }

  private static void untilClosed(Runnable use) {
    try {
      while (true) {
        use.run();
      }
    } catch (IllegalStateException closed) {
      assertTrue(String.valueOf(closed.getMessage()).endsWith("is closed"), closed::toString);
    }
  }

  @Test
  void closingMemoryWhoseBytesAreInUse_isRefusedAndWorksLater() throws Exception {
    Memory target = backend.allocate(16, Memory.Kind.STAGING);
    ByteBuffer bytes = target.map();
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try (pool) {
      var pipe = Pipe.open();
      Future<Integer> reading = pool.submit(() -> pipe.source().read(bytes)); // holds the bytes
      while (!isReading()) {
        assertFalse(reading.isDone());
        Thread.sleep(1);
      }
      String message = Thrown.message(IllegalStateException.class, target::close);
      assertEquals(
          "[close] an operation is using the mapped bytes of memory of 16 bytes (STAGING)",
          message);
      assertEquals(16, target.map().remaining(), "the memory stays open");
      pipe.sink().write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
      assertEquals(3, reading.get());
    }
    target.close();
  }

  /// Whether some thread is inside the system call that reads a pipe.
  private static boolean isReading() {
    return Thread.getAllStackTraces().values().stream()
        .flatMap(Arrays::stream)
        .anyMatch(frame -> frame.getMethodName().equals("read0") && frame.isNativeMethod());
  }

  private static void assertClosed(String message, Executable use) {
    assertEquals(message, Thrown.message(IllegalStateException.class, use));
  }
}
