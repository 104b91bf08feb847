package dev.gatun.backend.reference;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Bf16;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import java.util.IdentityHashMap;
import java.util.Random;
import java.util.function.DoubleSupplier;

/// Views of a reference backend, made of arrays and read into arrays. All have the real dtype that
/// is given at the start, but those of [#labels] and [#zeros(DType,long...)].
final class Tensors {
  final Backend backend = new ReferenceBackend();
  final DType real;
  private final IdentityHashMap<View, Memory> memories = new IdentityHashMap<>();

  Tensors(DType real) {
    this.real = real;
  }

  static long[] shape(long... dims) {
    return dims;
  }

  View zeros(long... dims) {
    return zeros(real, dims);
  }

  View zeros(DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    Memory memory = backend.allocate(shape.count() * dtype.bytes(), Memory.Kind.DEVICE);
    View view = memory.view(0, dtype, shape);
    memories.put(view, memory);
    return view;
  }

  View of(long[] dims, double... values) {
    return of(real, dims, values);
  }

  View of(DType dtype, long[] dims, double... values) {
    View view = zeros(dtype, dims);
    write(view, values);
    return view;
  }

  View scalar(double value) {
    return of(shape(), value);
  }

  View labels(double... labels) {
    return of(DType.I32, shape(labels.length), labels);
  }

  /// Another view of the memory of `view`, from `byteOffset` on.
  View alias(View view, long byteOffset, long... dims) {
    Memory memory = memory(view);
    View alias = memory.view(byteOffset, view.dtype(), Shape.of(dims));
    memories.put(alias, memory);
    return alias;
  }

  Memory memory(View view) {
    return requireNonNull(memories.get(view));
  }

  /// Writes the elements at the start of the memory of `view`.
  void write(View view, double... values) {
    ByteBuffer buffer = memory(view).map();
    for (double value : values) {
      switch (view.dtype()) {
        case F32 -> buffer.putFloat((float) value);
        case F64 -> buffer.putDouble(value);
        case I32 -> buffer.putInt((int) value);
        case I64 -> buffer.putLong((long) value);
        case U8 -> buffer.put((byte) value);
        case BF16 -> buffer.putShort(Bf16.of((float) value));
      }
    }
  }

  /// The elements from the start of the memory of `view`.
  double[] read(View view) {
    ByteBuffer buffer = memory(view).map();
    double[] values = new double[(int) view.shape().count()];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (view.dtype()) {
            case F32 -> buffer.getFloat();
            case F64 -> buffer.getDouble();
            case I32 -> buffer.getInt();
            case I64 -> (double) buffer.getLong();
            case U8 -> buffer.get() & 0xff;
            case BF16 -> Bf16.toFloat(buffer.getShort());
          };
    }
    return values;
  }

  /// Asserts the elements of `view`, up to the rounding of its dtype relative to the greatest.
  void assertElements(View view, double... expected) {
    double greatest = 1;
    for (double value : expected) {
      greatest = Double.isFinite(value) ? Math.max(greatest, Math.abs(value)) : greatest;
    }
    // Results are rounded once; some units more are for what the test itself computes.
    double unit = view.dtype() == DType.F64 ? 0x1p-50 : 0x1p-22;
    assertArrayEquals(expected, read(view), view.dtype().isReal() ? unit * greatest : 1e-9);
  }

  /// Numbers in (-1, 1), the same for the same seed.
  static double[] random(long seed, int count) {
    Random random = new Random(seed);
    return fill(count, () -> 2 * random.nextDouble() - 1);
  }

  static double[] fill(int count, DoubleSupplier supplier) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = supplier.getAsDouble();
    }
    return values;
  }
}
