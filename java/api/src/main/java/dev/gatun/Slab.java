package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.graph.Slot;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/// Many F32 tensors in one block of memory, so that an optimizer step, a norm or a copy is one
/// pass. Tensors start at multiples of 64 bytes; the gaps are zeros and stay zeros.
final class Slab implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private final Map<String, Long> offsets = new LinkedHashMap<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private long bytes;
  private final Memory memory;

  Slab(Backend backend, Map<String, Shape> tensors) {
    tensors.forEach(
        (name, shape) -> {
          offsets.put(name, bytes);
          shapes.put(name, shape);
          long end = bytes + shape.count() * DType.F32.bytes();
          bytes = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
        });
    memory = backend.allocate(bytes, Memory.Kind.DEVICE);
  }

  /// The place of a tensor.
  Slot slot(String name) {
    return new Slot(memory, offset(name));
  }

  /// The place of the whole.
  Slot slot() {
    return new Slot(memory, 0);
  }

  /// The whole as one vector.
  Shape flat() {
    return Shape.of(bytes / DType.F32.bytes());
  }

  Map<String, Shape> shapes() {
    return shapes;
  }

  void write(String name, float[] elements) {
    Shape shape = shape(name);
    if (elements.length != shape.count()) {
      throw new ShapeException(
          "%s is %s with %d elements, found %d"
              .formatted(name, shape, shape.count(), elements.length));
    }
    ByteBuffer buffer = buffer(shape);
    buffer.asFloatBuffer().put(elements);
    memory.write(offset(name), buffer);
  }

  float[] read(String name) {
    Shape shape = shape(name);
    ByteBuffer buffer = buffer(shape);
    memory.read(offset(name), buffer);
    float[] elements = new float[Math.toIntExact(shape.count())];
    buffer.flip().order(ByteOrder.nativeOrder()).asFloatBuffer().get(elements);
    return elements;
  }

  @Override
  public void close() {
    memory.close();
  }

  private Shape shape(String name) {
    Shape shape = shapes.get(name);
    if (shape == null) {
      throw unknown(name);
    }
    return shape;
  }

  private long offset(String name) {
    Long offset = offsets.get(name);
    if (offset == null) {
      throw unknown(name);
    }
    return offset;
  }

  private IllegalArgumentException unknown(String name) {
    return new IllegalArgumentException("there is no " + name + "; there are " + shapes.keySet());
  }

  private static ByteBuffer buffer(Shape shape) {
    return ByteBuffer.allocateDirect(Math.toIntExact(shape.count() * DType.F32.bytes()))
        .order(ByteOrder.nativeOrder());
  }
}
