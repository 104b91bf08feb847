package dev.gatun;

/// The type of a tensor's elements.
public enum DType {
  /// 32-bit floating point, the type of training.
  F32(4),
  /// 64-bit floating point, for gradient checks and oracles.
  F64(8),
  /// 32-bit signed integer, the type of labels.
  I32(4),
  /// 64-bit signed integer, the type of counters.
  I64(8),
  /// 8-bit unsigned integer, the type of pictures and masks.
  U8(1),
  /// 16-bit floating point, the upper half of an F32: the range of F32 with 8 bits of precision. A
  /// type of storage: instructions read it exactly, compute in F32 or wider, and round the result
  /// to nearest, ties to even.
  BF16(2);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /// Bytes of one element.
  public int bytes() {
    return bytes;
  }

  /// Whether this is a type to compute in: F32 or F64.
  public boolean isReal() {
    return this == F32 || this == F64;
  }

  /// Whether this is a floating-point type, the kind that has gradients: F32, F64 or BF16.
  public boolean isFloating() {
    return isReal() || this == BF16;
  }
}
