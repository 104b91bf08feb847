package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.ShapeException;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class RecordingTest {
  private final Tensors t = new Tensors(DType.F32);
  private final View x = t.of(shape(2), 1, 2);

  @Test
  void recordedInstructionsRunInOrderWhenTheProgramRuns() {
    Program program =
        t.backend.record(
            b -> {
              b.affine(x, x, 1, 1);
              b.affine(x, x, 10, 0);
            });
    assertEquals(2, program.instructions());
    t.assertElements(x, 1, 2);
    program.run();
    t.assertElements(x, 20, 30);
    program.run();
    t.assertElements(x, 210, 310);
  }

  @Test
  void otherInstructionsRunAtOnceDuringARecording() {
    Program program =
        t.backend.record(
            b -> {
              b.affine(x, x, 10, 0);
              t.backend.affine(x, x, 1, 1);
            });
    t.assertElements(x, 2, 3);
    assertEquals(1, program.instructions());
  }

  @Test
  void instructionsAreCheckedWhenTheyAreRecorded() {
    View wrong = t.zeros(3);
    ShapeException e =
        assertThrows(
            ShapeException.class, () -> t.backend.record(b -> b.binary(wrong, x, x, Binary.ADD)));
    assertEquals("[binary] a does not broadcast to y: a is f32 (2), y is f32 (3)", e.getMessage());
  }

  @Test
  void programsOutliveViewsMemoryAndBackend() {
    View y = t.zeros(2);
    Program program = t.backend.record(b -> b.affine(y, x, 3, 0));
    var bytes = t.memory(y).map();
    Memory memory = t.memory(x);
    x.close();
    y.close();
    memory.close();
    t.backend.close();
    program.run();
    assertEquals(3, bytes.getFloat(0));
    assertEquals(6, bytes.getFloat(4));
  }

  @Test
  void instructionsWithScratchMemoryStartAfresh() {
    View w = t.of(shape(1, 1, 1, 1), 2);
    View dw = t.zeros(1, 1, 1, 1);
    View image = t.of(shape(1, 1, 2, 1), 1, 2);
    View sum = t.zeros(1);
    View product = t.zeros(1, 1);
    View row = t.of(shape(1, 2), 3, 4);
    View column = t.of(shape(2, 1), 5, 6);
    var window = Window.square(1, 1, 0);
    View dx = t.zeros(1, 1, 2, 1);
    Program program =
        t.backend.record(
            b -> {
              b.conv2dBackwardWeights(dw, image, image, window, ConvAlgorithm.AUTO);
              b.conv2dBackwardData(
                  dx, null, image, w, null, null, null, null, window, ConvAlgorithm.AUTO);
              b.reduce(sum, x, Backend.Reduction.SUM, 1);
              b.matmul(product, row, column, null, false, false, Activation.NONE);
            });
    for (int i = 0; i < 3; i++) {
      program.run();
      t.assertElements(dw, 5);
      t.assertElements(dx, 2, 4);
      t.assertElements(sum, 3);
      t.assertElements(product, 39);
    }
  }

  @Test
  void aClosedProgramIsRefused() {
    Program program = t.backend.record(b -> b.fill(x, 1));
    program.close();
    program.close();
    IllegalStateException e = assertThrows(IllegalStateException.class, program::run);
    assertEquals("[program] the program of 1 instructions is closed", e.getMessage());
    assertEquals(1, program.instructions());
    t.assertElements(x, 1, 2);
  }

  @Test
  void anEmptyProgramRuns() {
    Program program = t.backend.record(b -> {});
    program.run();
    assertEquals(0, program.instructions());
  }

  @Test
  void aRecordingInsideARecordingIsRefused() {
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class, () -> t.backend.record(b -> b.record(inner -> {})));
    assertEquals("[record] a recording cannot be made inside a recording", e.getMessage());
  }

  @Test
  void theRecorderEndsWithTheRecording() {
    AtomicReference<Backend> kept = new AtomicReference<>();
    Program program = t.backend.record(kept::set);
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> kept.get().fill(x, 7));
    assertEquals(
        "[fill] the recording has ended; use its backend only inside record()", e.getMessage());
    assertEquals(0, program.instructions());
    program.run();
    t.assertElements(x, 1, 2);
  }

  @Test
  void anExceptionDropsTheRecordingAndEndsIt() {
    AtomicReference<Backend> kept = new AtomicReference<>();
    RuntimeException failure = new RuntimeException("stop");
    RuntimeException e =
        assertThrows(
            RuntimeException.class,
            () ->
                t.backend.record(
                    b -> {
                      kept.set(b);
                      b.fill(x, 7);
                      throw failure;
                    }));
    assertSame(failure, e);
    assertThrows(IllegalStateException.class, () -> kept.get().fill(x, 7));
    t.assertElements(x, 1, 2);
    t.backend.record(b -> b.fill(x, 7)).run();
    t.assertElements(x, 7, 7);
  }

  @Test
  void closingTheRecorderDoesNotEndTheRecording() {
    Program program =
        t.backend.record(
            b -> {
              b.close();
              b.fill(x, 7);
            });
    program.run();
    t.assertElements(x, 7, 7);
  }

  @Test
  void memoryOfTheRecorderIsThatOfTheBackend() {
    AtomicReference<Memory> kept = new AtomicReference<>();
    long before = t.backend.memoryUse().bytes();
    t.backend.record(b -> kept.set(b.allocate(100, Memory.Kind.DEVICE)));
    assertEquals(before + 100, t.backend.memoryUse().bytes());
  }

  /// Threads with tensors of their own do not disturb each other, and one program runs in turns.
  @Test
  void threadsShareABackend() throws InterruptedException {
    View counter = t.zeros(10_000); // so many that runs would meet
    Program shared = t.backend.record(b -> b.affine(counter, counter, 1, 1));
    View a = t.of(shape(32, 32), Tensors.random(1, 1024));
    View expected = t.zeros(32, 32);
    t.backend.matmul(expected, a, a, null, false, false, Activation.NONE);
    List<View> results = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      View y = t.zeros(32, 32);
      results.add(y);
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int round = 0; round < 250; round++) {
                      t.backend.matmul(y, a, a, null, false, false, Activation.NONE);
                      shared.run();
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    for (View y : results) {
      assertArrayEquals(t.read(expected), t.read(y));
    }
    t.assertElements(counter, Tensors.fill(10_000, () -> 1000));
  }

  @Test
  void runningAllocatesNothing() {
    View image = t.of(shape(2, 4, 4, 3), Tensors.random(1, 96));
    View w = t.of(shape(5, 3, 3, 3), Tensors.random(2, 135));
    View y = t.zeros(2, 4, 4, 5);
    View dw = t.zeros(5, 3, 3, 3);
    View dx = t.zeros(2, 4, 4, 3);
    var window = Window.square(3, 1, 1);
    Program program =
        t.backend.record(
            b -> {
              b.conv2d(y, null, image, w, null, null, window, Activation.RELU, ConvAlgorithm.AUTO);
              b.conv2dBackwardWeights(dw, image, y, window, ConvAlgorithm.AUTO);
              b.conv2dBackwardData(
                  dx, null, y, w, null, null, null, null, window, ConvAlgorithm.AUTO);
              b.dropout(dx, dx, null, 0.5, 1, 1);
            });
    var beans = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (int i = 0; i < 100; i++) {
      program.run();
    }
    long before = beans.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < 100; i++) {
      program.run();
    }
    long allocated = beans.getCurrentThreadAllocatedBytes() - before;
    assertTrue(allocated < 1000, "100 runs allocated " + allocated + " bytes"); // by the query
  }
}
