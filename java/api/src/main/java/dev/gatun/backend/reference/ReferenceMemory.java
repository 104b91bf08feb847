package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Memory that is an array. It counts as held until it is closed.
///
/// Unlike other backends', a mapped buffer stays readable and writable after close: an array cannot
/// be taken away from those who have it, be it a buffer, a view or a program, and the garbage
/// collector frees it after the last of them.
final class ReferenceMemory implements Memory {
  private final Heap heap;
  private final int size;
  private byte @Nullable [] bytes; // null when closed

  ReferenceMemory(Heap heap, long size) {
    this.heap = heap;
    byte[] allocated = heap.allocate(size);
    this.bytes = allocated;
    this.size = allocated.length;
  }

  Heap heap() {
    return heap;
  }

  @Override
  public long bytes() {
    return size;
  }

  @Override
  public ReferenceView view(long byteOffset, DType dtype, Shape shape) {
    byte[] array = array("view");
    long length = shape.count() * dtype.bytes();
    if (byteOffset < 0 || byteOffset > size - length) {
      throw new IllegalArgumentException(
          "[view] %s at byte %d needs %d bytes, the memory has %d"
              .formatted(describe(dtype, shape), byteOffset, length, size));
    }
    if (byteOffset % dtype.bytes() != 0) {
      throw new IllegalArgumentException(
          "[view] the byte offset must be a multiple of %d, the size of %s, but is %d"
              .formatted(dtype.bytes(), describe(dtype), byteOffset));
    }
    for (long dim : shape.toArray()) {
      if (dim > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "[view] the reference backend has extents of at most %d, but the shape is %s"
                .formatted(Integer.MAX_VALUE, shape));
      }
    }
    return new ReferenceView(this, array, (int) byteOffset, dtype, shape);
  }

  @Override
  public ByteBuffer map() {
    return ByteBuffer.wrap(array("map")).order(ByteOrder.nativeOrder());
  }

  @Override
  public void read(long byteOffset, ByteBuffer target) {
    byte[] array = array("read");
    checkRange("read", byteOffset, target.remaining());
    target.put(array, (int) byteOffset, target.remaining());
  }

  @Override
  public void write(long byteOffset, ByteBuffer source) {
    byte[] array = array("write");
    checkRange("write", byteOffset, source.remaining());
    source.get(array, (int) byteOffset, source.remaining());
  }

  @Override
  public synchronized void close() {
    if (bytes != null) {
      bytes = null;
      heap.released(size);
    }
  }

  static String describe(DType dtype) {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  /// Such as `f32 (128, 32, 32, 3)`.
  static String describe(DType dtype, Shape shape) {
    return describe(dtype) + " " + shape;
  }

  private synchronized byte[] array(String op) {
    if (bytes == null) {
      throw new IllegalStateException("[%s] the memory of %d bytes is closed".formatted(op, size));
    }
    return bytes;
  }

  private void checkRange(String op, long byteOffset, int length) {
    if (byteOffset < 0 || byteOffset > size - length) {
      throw new IllegalArgumentException(
          "[%s] %d bytes at byte %d are not inside the memory of %d bytes"
              .formatted(op, length, byteOffset, size));
    }
  }
}
