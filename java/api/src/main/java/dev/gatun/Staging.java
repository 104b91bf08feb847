package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Memory that Java and a program share: batches and scalars in, losses out. First [#place] every
/// value, then [#allocate], then read and write through the buffers, which allocate nothing.
final class Staging implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private record Entry(Value value, long offset) {}

  private final List<Entry> entries = new ArrayList<>();
  private long bytes;
  private @Nullable Memory memory;

  /// Reserves a place for `value` and returns its number.
  int place(Value value) {
    entries.add(new Entry(value, bytes));
    TensorType type = value.type();
    bytes = Math.ceilDiv(bytes + type.bytes(), ALIGNMENT) * ALIGNMENT;
    return entries.size() - 1;
  }

  void allocate(Backend backend) {
    memory = backend.allocate(bytes, Memory.Kind.STAGING, "batches and scalars");
  }

  Placement placement(int entry) {
    return new Placement(entries.get(entry).value(), slot(entry));
  }

  /// The place of an entry, for another value of the same type.
  Slot slot(int entry) {
    return new Slot(memory(), entries.get(entry).offset());
  }

  FloatBuffer floats(int entry) {
    return buffer(entry).asFloatBuffer();
  }

  IntBuffer ints(int entry) {
    return buffer(entry).asIntBuffer();
  }

  /// The bytes of an entry in native order.
  ByteBuffer buffer(int entry) {
    Entry place = entries.get(entry);
    return memory()
        .map()
        .slice(Math.toIntExact(place.offset()), Math.toIntExact(place.value().type().bytes()))
        .order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.close();
    }
  }

  private Memory memory() {
    if (memory == null) {
      throw new IllegalStateException("the staging memory is not allocated");
    }
    return memory;
  }
}
