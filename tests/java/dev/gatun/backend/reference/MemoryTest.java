package dev.gatun.backend.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.MemoryUse;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class MemoryTest {
  private final Backend backend = new ReferenceBackend();

  @Test
  void introducesItself() {
    assertEquals("reference", backend.name());
    assertEquals("reference, pure Java, 1 thread", backend.description());
    assertEquals(1, backend.threads());
  }

  @Test
  void memoryIsZeroedMappedAndInNativeOrder() {
    Memory memory = backend.allocate(8, Memory.Kind.STAGING);
    assertEquals(8, memory.bytes());
    ByteBuffer buffer = memory.map();
    assertEquals(0, buffer.getLong(0));
    assertEquals(ByteOrder.nativeOrder(), buffer.order());
    buffer.putFloat(4, 1.5f);
    assertEquals(1.5f, memory.map().getFloat(4));
  }

  @Test
  void readAndWriteCopyRanges() {
    Memory memory = backend.allocate(8, Memory.Kind.DEVICE);
    ByteBuffer source = ByteBuffer.wrap(new byte[] {1, 2, 3});
    memory.write(2, source);
    assertEquals(0, source.remaining());
    ByteBuffer target = ByteBuffer.allocateDirect(4);
    memory.read(1, target);
    assertEquals(ByteBuffer.wrap(new byte[] {0, 1, 2, 3}), target.flip());
    memory.read(8, ByteBuffer.allocate(0));
    assertMessage(
        "[read] 4 bytes at byte 5 are not inside the memory of 8 bytes",
        () -> memory.read(5, ByteBuffer.allocate(4)));
    assertMessage(
        "[write] 1 bytes at byte -1 are not inside the memory of 8 bytes",
        () -> memory.write(-1, ByteBuffer.allocate(1)));
    assertMessage(
        "[write] 1 bytes at byte 9223372036854775807 are not inside the memory of 8 bytes",
        () -> memory.write(Long.MAX_VALUE, ByteBuffer.allocate(1)));
  }

  @Test
  void viewsMustFitAndBeAligned() {
    Memory memory = backend.allocate(24, Memory.Kind.DEVICE);
    View view = memory.view(8, DType.F64, Shape.of(2, 1));
    assertEquals(DType.F64, view.dtype());
    assertEquals(Shape.of(2, 1), view.shape());
    assertMessage(
        "[view] f32 (2, 3) at byte 4 needs 24 bytes, the memory has 24",
        () -> memory.view(4, DType.F32, Shape.of(2, 3)));
    assertMessage(
        "[view] i64 () at byte -8 needs 8 bytes, the memory has 24",
        () -> memory.view(-8, DType.I64, Shape.scalar()));
    assertMessage(
        "[view] the byte offset must be a multiple of 4, the size of f32, but is 2",
        () -> memory.view(2, DType.F32, Shape.of(1)));
    memory.view(24, DType.F32, Shape.of(0, 5));
    assertMessage(
        "[view] the reference backend has extents of at most 2147483647, but the shape is"
            + " (0, 4294967296)",
        () -> memory.view(0, DType.F32, Shape.of(0, 1L << 32)));
  }

  @Test
  void anAllocationBeyondAnArrayIsRefused() {
    OutOfDeviceMemoryException e =
        assertThrows(
            OutOfDeviceMemoryException.class, () -> backend.allocate(1L << 31, Memory.Kind.DEVICE));
    assertEquals(
        "[allocate] the reference backend holds at most 2147483639 bytes in one piece, asked for"
            + " 2147483648",
        e.getMessage());
    assertMessage(
        "[allocate] bytes must not be negative, but is -1",
        () -> backend.allocate(-1, Memory.Kind.DEVICE));
    assertEquals(new MemoryUse(0, 0, 0), backend.memoryUse());
  }

  @Test
  void useIsCounted() {
    Memory first = backend.allocate(100, Memory.Kind.DEVICE);
    Memory second = backend.allocate(50, Memory.Kind.STAGING);
    assertEquals(new MemoryUse(150, 150, 2), backend.memoryUse());
    first.close();
    first.close();
    assertEquals(new MemoryUse(50, 150, 2), backend.memoryUse());
    backend.allocate(20, Memory.Kind.DEVICE);
    assertEquals(new MemoryUse(70, 150, 3), backend.memoryUse());
    second.close();
    assertEquals(new MemoryUse(20, 150, 3), backend.memoryUse());
  }

  @Test
  void closedMemoryIsRefused() {
    Memory memory = backend.allocate(16, Memory.Kind.DEVICE);
    memory.close();
    String text = "the memory of 16 bytes is closed";
    assertClosed("[view] " + text, () -> memory.view(0, DType.F32, Shape.of(1)));
    assertClosed("[map] " + text, memory::map);
    assertClosed("[read] " + text, () -> memory.read(0, ByteBuffer.allocate(1)));
    assertClosed("[write] " + text, () -> memory.write(0, ByteBuffer.allocate(1)));
  }

  @Test
  void viewsKeepTheBytesOfClosedMemory() {
    Memory memory = backend.allocate(4, Memory.Kind.DEVICE);
    View view = memory.view(0, DType.F32, Shape.scalar());
    ByteBuffer buffer = memory.map();
    memory.close();
    backend.fill(view, 3);
    assertEquals(3, buffer.getFloat(0));
  }

  @Test
  void closedViewsAreRefused() {
    Memory memory = backend.allocate(24, Memory.Kind.DEVICE);
    View view = memory.view(0, DType.F32, Shape.of(2, 3));
    View other = memory.view(0, DType.F32, Shape.of(2, 3));
    view.close();
    view.close();
    assertEquals(Shape.of(2, 3), view.shape());
    assertClosed("[fill] y is closed: f32 (2, 3)", () -> backend.fill(view, 1));
    assertClosed("[unary] x is closed: f32 (2, 3)", () -> backend.unary(other, view, Unary.ABS));
    backend.fill(other, 1);
  }

  @Test
  void aClosedBackendIsRefused() {
    Memory memory = backend.allocate(4, Memory.Kind.DEVICE);
    backend.close();
    backend.close();
    assertClosed(
        "[allocate] the reference backend is closed",
        () -> backend.allocate(4, Memory.Kind.DEVICE));
    assertClosed("[record] the reference backend is closed", () -> backend.record(b -> {}));
    View view = memory.view(0, DType.F32, Shape.scalar());
    assertClosed("[fill] the reference backend is closed", () -> backend.fill(view, 1));
    assertEquals(4, backend.memoryUse().bytes());
  }

  private static void assertMessage(String message, Executable mistake) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, mistake).getMessage());
  }

  private static void assertClosed(String message, Executable mistake) {
    assertEquals(message, assertThrows(IllegalStateException.class, mistake).getMessage());
  }
}
