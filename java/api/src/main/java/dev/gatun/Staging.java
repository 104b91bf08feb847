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
///
/// With frames, Java sees several times what the program has once.
final class Staging implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private record Entry(Value value, long offset) {}

  private final List<Entry> entries = new ArrayList<>();
  private long bytes;
  private @Nullable Memory memory; // what the host sees
  private Backend.@Nullable Frames frames;

  /// Reserves a place for `value` and returns its number. Scalars in a row lie close together, so
  /// that they are copied together.
  int place(Value value) {
    TensorType type = value.type();
    long offset = align(bytes, type.shape().rank() == 0 ? type.dtype().bytes() : ALIGNMENT);
    entries.add(new Entry(value, offset));
    bytes = offset + type.bytes();
    return entries.size() - 1;
  }

  private static long align(long offset, long alignment) {
    return Math.ceilDiv(offset, alignment) * alignment;
  }

  /// @throws OutOfDeviceMemoryException if the host could not see all of it
  void allocate(Backend backend) {
    bytes = align(bytes, ALIGNMENT);
    requireVisible(1);
    memory = backend.allocate(bytes, Memory.Kind.STAGING, "batches and scalars");
  }

  /// The same with so many frames.
  ///
  /// @throws OutOfDeviceMemoryException if the host could not see all of them
  void allocate(Backend backend, long count) {
    bytes = align(bytes, ALIGNMENT);
    requireVisible(count);
    Memory all = backend.allocate(count * bytes, Memory.Kind.STAGING, "batches and scalars");
    memory = all;
    frames =
        new Backend.Frames(backend.allocate(bytes, Memory.Kind.DEVICE, "the batch of a step"), all);
  }

  /// Java sees memory by way of a ByteBuffer.
  private void requireVisible(long count) {
    if (count > Integer.MAX_VALUE / bytes) {
      String taken =
          count == 1
              ? "a batch and its results take %d; take smaller batches".formatted(bytes)
              : ("%d batches and their results take %d x %d; take smaller batches, or fewer steps"
                      + " a call")
                  .formatted(count, count, bytes);
      throw new OutOfDeviceMemoryException(
          "[batch] the host can see %d bytes at most, but %s".formatted(Integer.MAX_VALUE, taken));
    }
  }

  /// Null without.
  Backend.@Nullable Frames frames() {
    return frames;
  }

  Placement placement(int entry) {
    return new Placement(entries.get(entry).value(), slot(entry));
  }

  /// The place of an entry, for another value of the same type.
  Slot slot(int entry) {
    return new Slot(frames == null ? memory() : frames.current(), entries.get(entry).offset());
  }

  FloatBuffer floats(int entry) {
    return buffer(entry, 0).asFloatBuffer();
  }

  IntBuffer ints(int entry) {
    return buffer(entry, 0).asIntBuffer();
  }

  /// The bytes of an entry in native order.
  ByteBuffer buffer(int entry) {
    return buffer(entry, 0);
  }

  /// The same in a frame.
  ByteBuffer buffer(int entry, int frame) {
    Entry place = entries.get(entry);
    return memory()
        .map()
        .slice(
            Math.toIntExact(frame * bytes + place.offset()),
            Math.toIntExact(place.value().type().bytes()))
        .order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    if (frames != null) {
      frames.current().close();
    }
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
