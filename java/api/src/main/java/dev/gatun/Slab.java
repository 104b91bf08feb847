package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.graph.Slot;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Many F32 tensors in one block of memory, so that an optimizer step, a norm or a copy is one
/// pass. Tensors start at multiples of 64 bytes; the gaps are zeros and stay zeros. Matrices lie in
/// front of vectors, so that weights, and norms and biases, are a range each.
final class Slab implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  /// Elements that are copied at a time.
  private static final int CHUNK = 1 << 18;

  private final Map<String, Long> offsets = new LinkedHashMap<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private long bytes;
  private final Backend backend;
  private final Memory memory;

  /// Memory for `tensors`; `holder` says what they are.
  Slab(Backend backend, String holder, Map<String, Shape> tensors) {
    shapes.putAll(tensors);
    tensors.forEach((name, shape) -> place(name, shape, shape.rank() > 1));
    tensors.forEach((name, shape) -> place(name, shape, shape.rank() <= 1));
    this.backend = backend;
    memory = backend.allocate(bytes, Memory.Kind.DEVICE, holder);
  }

  private void place(String name, Shape shape, boolean now) {
    if (now) {
      offsets.put(name, bytes);
      long end = bytes + shape.count() * DType.F32.bytes();
      bytes = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
    }
  }

  /// Where the memory is.
  Backend backend() {
    return backend;
  }

  /// The names in the order of memory.
  List<String> order() {
    return List.copyOf(offsets.keySet());
  }

  /// The elements from the beginning of `first` to that of what comes after `last`, as one vector.
  Shape flat(String first, String last) {
    long end = offset(last) + shape(last).count() * DType.F32.bytes();
    return Shape.of((Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT - offset(first)) / DType.F32.bytes());
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
    long offset = offset(name);
    ByteBuffer chunk = chunk(elements.length);
    for (int done = 0; done < elements.length; ) {
      int count = Math.min(CHUNK, elements.length - done);
      chunk.clear().limit(count * DType.F32.bytes());
      chunk.asFloatBuffer().put(elements, done, count);
      memory.write(offset + (long) done * DType.F32.bytes(), chunk);
      done += count;
    }
  }

  float[] read(String name) {
    long offset = offset(name);
    float[] elements = new float[Math.toIntExact(shape(name).count())];
    ByteBuffer chunk = chunk(elements.length);
    for (int done = 0; done < elements.length; ) {
      int count = Math.min(CHUNK, elements.length - done);
      chunk.clear().limit(count * DType.F32.bytes());
      memory.read(offset + (long) done * DType.F32.bytes(), chunk);
      chunk.flip();
      chunk.asFloatBuffer().get(elements, done, count);
      done += count;
    }
    return elements;
  }

  @Override
  public void close() {
    memory.close();
  }

  Shape shape(String name) {
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

  private static ByteBuffer chunk(int elements) {
    return ByteBuffer.allocate(Math.min(CHUNK, elements) * DType.F32.bytes())
        .order(ByteOrder.nativeOrder());
  }
}
