package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.MemoryUse;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.function.Executable;

@TestInstance(Lifecycle.PER_CLASS)
class FfmMemoryTest {
  private final FfmBackend backend = FfmBackend.cpu(1);

  @BeforeAll
  void nothingIsHeld() {
    assertEquals(0, backend.memoryUse().bytes());
  }

  @AfterAll
  void everythingWasGivenBack() {
    assertEquals(0, backend.memoryUse().bytes());
    backend.close();
  }

  @Test
  void writeAndRead_heapAndDirect_bringTheBytesBack() {
    int bytes = 3 * (1 << 20) + 17; // more than one piece
    byte[] content = new byte[bytes];
    new Random(1).nextBytes(content);
    try (Memory memory = backend.allocate(bytes + 16, Memory.Kind.DEVICE)) {
      for (ByteBuffer source :
          new ByteBuffer[] {ByteBuffer.wrap(content), direct(content), readOnly(content)}) {
        memory.write(16, source);
        assertEquals(0, source.remaining());
        for (ByteBuffer target :
            new ByteBuffer[] {ByteBuffer.allocate(bytes), ByteBuffer.allocateDirect(bytes)}) {
          memory.read(16, target);
          assertEquals(0, target.remaining());
          byte[] found = new byte[bytes];
          target.flip().get(found);
          assertArrayEquals(content, found);
        }
        memory.write(0, ByteBuffer.allocate(bytes + 16));
      }
    }
  }

  @Test
  void readAndWrite_respectPositionAndLimit() {
    try (Memory memory = backend.allocate(8, Memory.Kind.DEVICE)) {
      memory.write(2, ByteBuffer.wrap(new byte[] {9, 1, 2, 3, 9}, 1, 3));
      ByteBuffer target = ByteBuffer.allocate(8);
      memory.read(1, target.position(3).limit(7));
      assertEquals(7, target.position());
      assertArrayEquals(new byte[] {0, 0, 0, 0, 1, 2, 3, 0}, target.array());
    }
  }

  @Test
  void newMemory_isZeroAndCounted() {
    MemoryUse before = backend.memoryUse();
    try (Memory memory = backend.allocate(1000, Memory.Kind.STAGING)) {
      assertEquals(1000, memory.bytes());
      ByteBuffer bytes = memory.map();
      assertEquals(1000, bytes.remaining());
      assertEquals(ByteOrder.nativeOrder(), bytes.order());
      while (bytes.hasRemaining()) {
        assertEquals(0, bytes.get());
      }
      MemoryUse during = backend.memoryUse();
      assertTrue(during.bytes() >= before.bytes() + 1000, during.toString());
      assertTrue(during.peakBytes() >= during.bytes(), during.toString());
      assertTrue(during.allocations() > before.allocations(), during.toString());
    }
    assertEquals(before.bytes(), backend.memoryUse().bytes());
  }

  @Test
  void map_showsTheMemoryItself() {
    try (Memory memory = backend.allocate(16, Memory.Kind.STAGING);
        View view = memory.view(0, DType.F32, Shape.of(4))) {
      ByteBuffer first = memory.map();
      ByteBuffer second = memory.map();
      first.putFloat(3);
      assertEquals(0, second.position());
      assertEquals(3, second.getFloat(0));
      backend.fill(view, 7);
      assertEquals(7, second.getFloat(12));
    }
  }

  @Test
  void mapAfterClose_throwsAndTouchesNothing() {
    Memory memory = backend.allocate(16, Memory.Kind.STAGING);
    ByteBuffer bytes = memory.map();
    ByteBuffer slice = bytes.slice(4, 4);
    memory.close();
    assertThrows(IllegalStateException.class, () -> bytes.get(0));
    assertThrows(IllegalStateException.class, () -> slice.putInt(0, 1));
    memory.close();
  }

  @Test
  void emptyMemory_works() {
    try (Memory memory = backend.allocate(0, Memory.Kind.STAGING);
        View view = memory.view(0, DType.F32, Shape.of(3, 0))) {
      assertEquals(0, memory.map().remaining());
      memory.read(0, ByteBuffer.allocate(0));
      memory.write(0, ByteBuffer.allocateDirect(0));
      backend.fill(view, 1);
    }
  }

  @Test
  void closedMemory_isRefusedByName() {
    Memory memory = backend.allocate(16, Memory.Kind.STAGING);
    memory.close();
    memory.close();
    for (var use :
        new Executable[] {
          () -> memory.view(0, DType.F32, Shape.of(4)),
          () -> memory.read(0, ByteBuffer.allocate(4)),
          () -> memory.write(0, ByteBuffer.allocate(4)),
          memory::map
        }) {
      String message = Thrown.message(IllegalStateException.class, use);
      assertTrue(message.endsWith("] memory of 16 bytes (STAGING) is closed"), message);
    }
    assertEquals(16, memory.bytes());
  }

  @Test
  void wrongRanges_areRefusedWithTheValues() {
    try (Memory memory = backend.allocate(16, Memory.Kind.DEVICE)) {
      assertMessage(
          "[read] 8 bytes from offset 12 do not fit into memory of 16 bytes (DEVICE)",
          () -> memory.read(12, ByteBuffer.allocate(8)));
      assertMessage(
          "[write] 1 bytes from offset -1 do not fit into memory of 16 bytes (DEVICE)",
          () -> memory.write(-1, ByteBuffer.allocateDirect(1)));
      assertMessage(
          "[write] 17 bytes from offset " + Long.MAX_VALUE,
          () -> memory.write(Long.MAX_VALUE, ByteBuffer.allocate(17)));
      assertMessage("byte_offset", () -> memory.view(2, DType.F32, Shape.of(1)));
      assertMessage("byte_offset 8", () -> memory.view(8, DType.F64, Shape.of(2)));
      assertMessage("-4", () -> memory.view(-4, DType.F32, Shape.scalar()));
      assertThrows(
          ReadOnlyBufferException.class,
          () -> memory.read(0, ByteBuffer.allocate(4).asReadOnlyBuffer()));
    }
  }

  @Test
  void wrongSizes_areRefused() {
    assertMessage("-1", () -> backend.allocate(-1, Memory.Kind.DEVICE));
    String message =
        Thrown.message(
            OutOfDeviceMemoryException.class, () -> backend.allocate(1L << 60, Memory.Kind.DEVICE));
    assertTrue(message.contains(Long.toString(1L << 60)), message);
  }

  /// When memory runs out, the message lists who holds what.
  @Test
  void holders_areNamedWhenMemoryRunsOut() {
    try (Backend own = FfmBackend.cpu(1);
        Memory _ = own.allocate(1000, Memory.Kind.DEVICE, "gradients");
        Memory _ = own.allocate(10, Memory.Kind.DEVICE, "tensors");
        Memory _ = own.allocate(20, Memory.Kind.STAGING, "tensors")) {
      own.allocate(500, Memory.Kind.DEVICE).close();
      String message =
          Thrown.message(
              OutOfDeviceMemoryException.class,
              () -> own.allocate(1L << 60, Memory.Kind.DEVICE, "parameters"));
      assertTrue(
          message.endsWith(
              "; asked for by parameters, held by gradients 1000 bytes, tensors 30 bytes in 2"
                  + " pieces"),
          message);
    }
  }

  @Test
  void map_ofMoreThanAByteBufferHolds_isRefused() {
    try (Memory memory = backend.allocate((1L << 31) + 8, Memory.Kind.DEVICE)) {
      assertMessage("a ByteBuffer holds at most 2147483647 bytes", memory::map);
    } catch (OutOfDeviceMemoryException e) {
      org.junit.jupiter.api.Assumptions.abort("this machine does not give 2 GiB: " + e);
    }
  }

  private static void assertMessage(String part, Executable use) {
    String message = Thrown.message(IllegalArgumentException.class, use);
    assertTrue(message.contains(part), () -> "expected \"" + part + "\" in: " + message);
  }

  private static ByteBuffer direct(byte[] content) {
    return ByteBuffer.allocateDirect(content.length).put(content).flip();
  }

  private static ByteBuffer readOnly(byte[] content) {
    return ByteBuffer.wrap(content).asReadOnlyBuffer();
  }
}
