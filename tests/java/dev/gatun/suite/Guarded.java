package dev.gatun.suite;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Bf16;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.graph.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/// A tensor between two strips of known bytes, which tell when an instruction writes beyond it.
final class Guarded implements AutoCloseable {
  /// Bytes on either side: more than a kernel's widest step.
  static final int GUARD = 1024;

  private final TensorType type;
  private final Memory memory;
  private final View view;
  private final int start;
  private byte[] before;

  /// A tensor whose bytes, and those around it, are all `poison`; `shift` elements behind a
  /// multiple of 64 bytes.
  Guarded(Backend backend, TensorType type, int shift, int poison) {
    this.type = type;
    this.start = GUARD + shift * type.dtype().bytes();
    int bytes = start + (int) type.bytes() + GUARD;
    this.memory = backend.allocate(bytes, Memory.Kind.DEVICE);
    byte[] poisoned = new byte[bytes];
    Arrays.fill(poisoned, (byte) poison);
    memory.write(0, ByteBuffer.wrap(poisoned));
    this.before = poisoned;
    this.view = memory.view(start, type.dtype(), type.shape());
  }

  View view() {
    return view;
  }

  /// Another view, of the very same elements.
  View alias() {
    return memory.view(start, type.dtype(), type.shape());
  }

  /// Writes the elements.
  void store(double[] elements) {
    ByteBuffer bytes = ByteBuffer.allocate((int) type.bytes()).order(ByteOrder.nativeOrder());
    for (double element : elements) {
      switch (type.dtype()) {
        case F32 -> bytes.putFloat((float) element);
        case F64 -> bytes.putDouble(element);
        case I32 -> bytes.putInt((int) element);
        case I64 -> bytes.putLong((long) element);
        case U8 -> bytes.put((byte) (int) element);
        case BF16 -> bytes.putShort(Bf16.of((float) element));
      }
    }
    memory.write(start, bytes.flip());
    before = all();
  }

  /// The bytes of the tensor.
  byte[] bytes() {
    return Arrays.copyOfRange(all(), start, start + (int) type.bytes());
  }

  /// The elements.
  double[] elements() {
    ByteBuffer bytes = ByteBuffer.wrap(bytes()).order(ByteOrder.nativeOrder());
    double[] elements = new double[(int) type.shape().count()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] =
          switch (type.dtype()) {
            case F32 -> bytes.getFloat();
            case F64 -> bytes.getDouble();
            case I32 -> bytes.getInt();
            case I64 -> bytes.getLong();
            case U8 -> Byte.toUnsignedInt(bytes.get());
            case BF16 -> Bf16.toFloat(bytes.getShort());
          };
    }
    return elements;
  }

  /// Fails if a byte around the tensor has changed.
  void checkGuards(String what) {
    byte[] now = all();
    for (int i = 0; i < now.length; i++) {
      boolean outside = i < start || i >= start + type.bytes();
      if (outside && now[i] != before[i]) {
        throw new AssertionError(
            "%s %s: byte %d was overwritten, counted from its start; it has %d bytes"
                .formatted(what, type, i - start, type.bytes()));
      }
    }
  }

  /// Fails if any byte has changed since [#store].
  void checkUnchanged(String what) {
    checkGuards(what);
    int mismatch = Arrays.mismatch(before, all());
    if (mismatch >= 0) {
      throw new AssertionError(
          "%s %s was changed, first at byte %d".formatted(what, type, mismatch - start));
    }
  }

  private byte[] all() {
    ByteBuffer bytes = ByteBuffer.allocate((int) memory.bytes());
    memory.read(0, bytes);
    return bytes.array();
  }

  @Override
  public void close() {
    view.close();
    memory.close();
  }
}
