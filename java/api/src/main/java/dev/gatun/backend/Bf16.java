package dev.gatun.backend;

/// The bits of [dev.gatun.DType#BF16]: the upper half of an F32.
public final class Bf16 {
  private Bf16() {}

  /// `value` rounded to nearest, ties to even; NaN stays NaN.
  public static short of(float value) {
    int bits = Float.floatToRawIntBits(value);
    int rounded = Float.isNaN(value) ? bits | 0x40_0000 : bits + 0x7fff + (bits >>> 16 & 1);
    return (short) (rounded >>> 16);
  }

  /// The number that `bits` stand for.
  public static float toFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }
}
