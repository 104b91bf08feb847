package dev.gatun.backend.ffm;

import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// A stream of the native library: what all instructions need to be called on it. A call runs at
/// once or, if the stream is recording, is kept.
abstract class NativeStream implements Backend {
  /// The stream, and what lives as long as it does.
  final Handle stream;

  NativeStream(Handle stream) {
    this.stream = stream;
  }

  /// A downcall on a stream; returns the status.
  interface Call {
    int on(MemorySegment stream);
  }

  /// Makes the call while the stream and all operands are kept from being destroyed.
  final void issue(String op, Call call, @Nullable View... operands) {
    MemorySegment target = stream.acquire(op);
    int held = 0;
    try {
      for (; held < operands.length; held++) {
        View operand = operands[held];
        if (operand != null) {
          ours(op, operand).handle().acquire(op);
        }
      }
      Status.check(call.on(target));
    } finally {
      while (held > 0) {
        if (operands[--held] instanceof FfmView view) {
          view.handle().release();
        }
      }
      stream.release();
    }
  }

  private static FfmView ours(String op, View view) {
    if (view instanceof FfmView ours) {
      return ours;
    }
    throw new IllegalArgumentException(
        "[%s] an operand %s %s belongs to another backend: it is a %s"
            .formatted(op, view.dtype(), view.shape(), view.getClass().getName()));
  }

  /// An operand that [#issue] holds; NULL for one that is absent.
  static MemorySegment at(@Nullable View view) {
    return view == null ? MemorySegment.NULL : ((FfmView) view).handle().address();
  }

  static int flag(boolean value) {
    return value ? 1 : 0;
  }
}
