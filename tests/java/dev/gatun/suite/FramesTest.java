package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.ffm.FfmBackend;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// Programs that run on frames, on every backend; CUDA is emulated, unless there is a GPU.
class FramesTest {
  private static final int BYTES = 64;
  private static final int COUNT = 4;
  private static final int Y = 16; // the byte where results lie

  /// Calls `check` on each backend.
  private static void onEach(Consumer<Backend> check) {
    check.accept(Backends.REFERENCE.backend());
    check.accept(Backends.CPU.backend());
    try (Backend cuda = FfmBackend.cuda(0)) {
      check.accept(cuda);
    }
  }

  /// x lies first in a frame, then y: sum += x; y = sum + 1, which is 1, 2 or more after each run.
  private static final class Summing implements AutoCloseable {
    private final Memory current;
    private final Memory all;
    private final Memory sums;
    private final Program program;
    private final ByteBuffer bytes;

    Summing(Backend backend) {
      current = backend.allocate(BYTES, Memory.Kind.DEVICE);
      all = backend.allocate(COUNT * BYTES, Memory.Kind.STAGING);
      sums = backend.allocate(4, Memory.Kind.DEVICE);
      try (View x = current.view(0, DType.F32, Shape.scalar());
          View y = current.view(Y, DType.F32, Shape.scalar());
          View sum = sums.view(0, DType.F32, Shape.scalar())) {
        program =
            backend.record(
                new Backend.Frames(current, all),
                b -> {
                  b.binary(sum, sum, x, Backend.Binary.ADD);
                  b.affine(y, sum, 1, 1);
                });
      }
      bytes = all.map();
    }

    void set(int frame, float x) {
      bytes.putFloat(frame * BYTES, x);
    }

    float y(int frame) {
      return bytes.getFloat(frame * BYTES + Y);
    }

    @Override
    public void close() {
      program.close();
      List.of(current, all, sums).forEach(Memory::close);
    }
  }

  @Test
  void runs_takeTheirFramesInOrder() {
    onEach(
        backend -> {
          try (Summing summing = new Summing(backend)) {
            summing.set(0, 1);
            summing.set(1, 2);
            summing.program.feed(0, 2);
            summing.program.start(0, 2);
            summing.set(2, 4);
            summing.set(3, 8);
            summing.program.feed(2, 2);
            summing.program.await();
            assertEquals(2, summing.y(0));
            assertEquals(4, summing.y(1));
            summing.program.start(2, 2);
            summing.program.await();
            assertEquals(8, summing.y(2));
            assertEquals(16, summing.y(3));
            assertEquals(1, summing.bytes.getFloat(0), "what a program reads stays");
            assertEquals(4, new Backend.Frames(summing.current, summing.all).count());
          }
        });
  }

  /// A plain run works on what is in the current frame.
  @Test
  void aPlainRun_leavesFramesAlone() {
    onEach(
        backend -> {
          try (Summing summing = new Summing(backend)) {
            ByteBuffer value = ByteBuffer.allocate(4).order(ByteOrder.nativeOrder());
            summing.current.write(0, value.putFloat(0, 5));
            summing.program.run();
            summing.current.read(Y, value.clear());
            assertEquals(6, value.getFloat(0));
            assertEquals(0, summing.y(0));
          }
        });
  }

  @Test
  void callsOutOfTurn_areRefused() {
    onEach(
        backend -> {
          try (Summing summing = new Summing(backend)) {
            Program program = summing.program;
            program.await(); // for nothing
            refused("frame 0 was not fed since it ran last", () -> program.start(0, 1));
            refused("2 frames from 3 on are not some of 4", () -> program.feed(3, 2));
            refused("0 frames from 0 on", () -> program.feed(0, 0));
            refused("1 frames from -1 on", () -> program.start(-1, 1));
            program.feed(0, 3);
            program.start(0, 2);
            refused("the program was started", () -> program.start(2, 1));
            refused("the program was started", program::run);
            refused("of 1 frames from 1 on, some run now", () -> program.feed(1, 1));
            program.await();
            refused("frame 1 was not fed", () -> program.start(1, 2));
            program.start(2, 1);
            program.await();
            program.feed(0, 4); // what ran among them
            program.start(2, 1);
            program.close();
          }
        });
  }

  @Test
  void memoryThatDoesNotFit_isRefused() {
    onEach(
        backend -> {
          try (Memory current = backend.allocate(BYTES, Memory.Kind.DEVICE);
              Memory all = backend.allocate(2 * BYTES, Memory.Kind.STAGING);
              Memory half = backend.allocate(BYTES / 2, Memory.Kind.STAGING);
              View inside = all.view(0, DType.F32, Shape.scalar());
              View other = current.view(0, DType.F32, Shape.scalar())) {
            refused(
                "frames of 32 bytes are not some of the current one's 64",
                () -> backend.record(new Backend.Frames(current, half), b -> b.fill(other, 1)));
            refused(
                "lies in the frames",
                () -> backend.record(new Backend.Frames(current, all), b -> b.fill(inside, 1)));
            try (Program plain = backend.record(b -> b.fill(other, 1))) {
              refused("recorded without frames", () -> plain.feed(0, 1));
              refused("recorded without frames", () -> plain.start(0, 1));
              refused("recorded without frames", plain::await);
            }
          }
        });
  }

  private static void refused(String part, Executable call) {
    String found = String.valueOf(assertThrows(IllegalArgumentException.class, call).getMessage());
    assertTrue(found.contains(part), found);
  }
}
