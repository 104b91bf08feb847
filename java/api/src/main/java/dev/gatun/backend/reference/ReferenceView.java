package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.View;
import org.jspecify.annotations.Nullable;

/// A tensor in a [ReferenceMemory].
final class ReferenceView implements View {
  private final ReferenceMemory memory;
  private final int byteOffset;
  private final DType dtype;
  private final Shape shape;
  private @Nullable Elements elements; // null when closed

  ReferenceView(ReferenceMemory memory, byte[] bytes, int byteOffset, DType dtype, Shape shape) {
    this.memory = memory;
    this.byteOffset = byteOffset;
    this.dtype = dtype;
    this.shape = shape;
    this.elements = Elements.of(dtype, bytes, byteOffset);
  }

  ReferenceMemory memory() {
    return memory;
  }

  /// Null when closed.
  synchronized @Nullable Elements elements() {
    return elements;
  }

  boolean overlaps(ReferenceView other) {
    return memory == other.memory
        && shape.count() > 0
        && other.shape.count() > 0
        && byteOffset < other.byteOffset + other.bytes()
        && other.byteOffset < byteOffset + bytes();
  }

  boolean isSameMemory(ReferenceView other) {
    return memory == other.memory && byteOffset == other.byteOffset && bytes() == other.bytes();
  }

  private long bytes() {
    return shape.count() * dtype.bytes();
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public synchronized void close() {
    elements = null;
  }

  /// Such as `f32 (128, 32, 32, 3)`.
  @Override
  public String toString() {
    return ReferenceMemory.describe(dtype, shape);
  }
}
