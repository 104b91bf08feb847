package dev.gatun.ffi;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.ValueLayout;

/// What the generated [gatun_h] takes from its superclass: the layouts of the header's types and
/// the downcall hook.
///
/// The header uses fixed-width integers only, so the layouts are the same on every platform;
/// `C_LONG` is what jextract calls `int64_t` where it ran. Pointers carry no target layout: a
/// returned pointer has length zero until [NativeMemory] gives it one.
class NativeSymbols {
  static final ValueLayout.OfByte C_CHAR = ValueLayout.JAVA_BYTE;
  static final ValueLayout.OfInt C_INT = ValueLayout.JAVA_INT;
  static final ValueLayout.OfLong C_LONG = ValueLayout.JAVA_LONG;
  static final ValueLayout.OfLong C_LONG_LONG = ValueLayout.JAVA_LONG;
  static final ValueLayout.OfFloat C_FLOAT = ValueLayout.JAVA_FLOAT;
  static final ValueLayout.OfDouble C_DOUBLE = ValueLayout.JAVA_DOUBLE;
  static final AddressLayout C_POINTER = ValueLayout.ADDRESS;

  /// Read by every generated method; a constant false costs nothing once compiled.
  static final boolean TRACE_DOWNCALLS = Downcalls.COUNTING || Downcalls.PRINTING;

  NativeSymbols() {}

  static void traceDowncall(String function, Object... arguments) {
    Downcalls.record(function, arguments);
  }
}
