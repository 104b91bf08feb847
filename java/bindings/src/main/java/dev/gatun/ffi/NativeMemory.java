package dev.gatun.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/// Gives lengths to pointers that the native library returned: the restricted operations on memory.
public final class NativeMemory {
  private NativeMemory() {}

  /// The native bytes at `address` as a buffer in native order. It throws an
  /// [IllegalStateException] once `arena` is closed, and keeps `owner` reachable as long as the
  /// buffer is.
  ///
  /// @throws IllegalArgumentException if there are more bytes than a ByteBuffer can hold
  public static ByteBuffer buffer(MemorySegment address, long bytes, Arena arena, Object owner) {
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a ByteBuffer holds at most %d bytes, found %d".formatted(Integer.MAX_VALUE, bytes));
    }
    return address
        .reinterpret(bytes, arena, new KeepReachable(owner))
        .asByteBuffer()
        .order(ByteOrder.nativeOrder());
  }

  /// The reason of this thread's last failing call. To be called in the same expression as that
  /// call: in between, a virtual thread must not move to another carrier.
  public static String lastErrorMessage() {
    return gatun_h.gt_last_error_message().reinterpret(Long.MAX_VALUE).getString(0);
  }

  /// Runs when the arena closes, and does nothing: the arena holds it, and it holds the owner.
  private record KeepReachable(Object owner) implements Consumer<MemorySegment> {
    @Override
    public void accept(MemorySegment memory) {}
  }
}
