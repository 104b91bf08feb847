package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.Bf16;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// Typed access to the elements of a view. Loops are written once against [Reals]: values travel as
/// `double`, and are rounded when they are stored. While a program uses one real dtype only, the
/// compiler sees one implementation and inlines it.
abstract sealed class Elements {
  final byte[] bytes;
  final int offset;

  private Elements(byte[] bytes, int offset) {
    this.bytes = bytes;
    this.offset = offset;
  }

  static Elements of(DType dtype, byte[] bytes, int offset) {
    return switch (dtype) {
      case F32 -> new F32(bytes, offset);
      case F64 -> new F64(bytes, offset);
      case I32 -> new I32(bytes, offset);
      case I64 -> new I64(bytes, offset);
      case U8 -> new U8(bytes, offset);
      case BF16 -> new BF16(bytes, offset);
    };
  }

  /// Stores a value, rounded to a real dtype, or cut toward zero and saturated to an integer one.
  abstract void set(int i, double value);

  /// Stores an integer, rounded to a real dtype, or saturated to an integer one.
  abstract void setInteger(int i, long value);

  private static VarHandle handle(Class<?> arrayType) {
    return MethodHandles.byteArrayViewVarHandle(arrayType, ByteOrder.nativeOrder());
  }

  /// Elements of a floating-point dtype.
  abstract static sealed class Reals extends Elements {
    private Reals(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    abstract double get(int i);
  }

  /// Elements of an integer dtype.
  abstract static sealed class Integers extends Elements {
    private Integers(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    abstract long get(int i);

    @Override
    final void set(int i, double value) {
      setInteger(i, (long) value);
    }
  }

  private static final class F32 extends Reals {
    private static final VarHandle FLOAT = handle(float[].class);

    F32(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    double get(int i) {
      return (float) FLOAT.get(bytes, offset + (i << 2));
    }

    @Override
    void set(int i, double value) {
      FLOAT.set(bytes, offset + (i << 2), (float) value);
    }

    @Override
    void setInteger(int i, long value) {
      FLOAT.set(bytes, offset + (i << 2), (float) value);
    }
  }

  private static final class F64 extends Reals {
    private static final VarHandle DOUBLE = handle(double[].class);

    F64(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    double get(int i) {
      return (double) DOUBLE.get(bytes, offset + (i << 3));
    }

    @Override
    void set(int i, double value) {
      DOUBLE.set(bytes, offset + (i << 3), value);
    }

    @Override
    void setInteger(int i, long value) {
      DOUBLE.set(bytes, offset + (i << 3), (double) value);
    }
  }

  private static final class BF16 extends Reals {
    private static final VarHandle SHORT = handle(short[].class);

    BF16(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    double get(int i) {
      return Bf16.toFloat((short) SHORT.get(bytes, offset + (i << 1)));
    }

    @Override
    void set(int i, double value) {
      SHORT.set(bytes, offset + (i << 1), Bf16.of((float) value));
    }

    @Override
    void setInteger(int i, long value) {
      SHORT.set(bytes, offset + (i << 1), Bf16.of((float) value));
    }
  }

  private static final class I32 extends Integers {
    private static final VarHandle INT = handle(int[].class);

    I32(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    long get(int i) {
      return (int) INT.get(bytes, offset + (i << 2));
    }

    @Override
    void setInteger(int i, long value) {
      INT.set(bytes, offset + (i << 2), Math.clamp(value, Integer.MIN_VALUE, Integer.MAX_VALUE));
    }
  }

  private static final class I64 extends Integers {
    private static final VarHandle LONG = handle(long[].class);

    I64(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    long get(int i) {
      return (long) LONG.get(bytes, offset + (i << 3));
    }

    @Override
    void setInteger(int i, long value) {
      LONG.set(bytes, offset + (i << 3), value);
    }
  }

  private static final class U8 extends Integers {
    U8(byte[] bytes, int offset) {
      super(bytes, offset);
    }

    @Override
    long get(int i) {
      return bytes[offset + i] & 0xff;
    }

    @Override
    void setInteger(int i, long value) {
      bytes[offset + i] = (byte) Math.clamp(value, 0, 255);
    }
  }
}
