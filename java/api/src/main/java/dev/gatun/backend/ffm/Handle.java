package dev.gatun.backend.ffm;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/// A native handle that is destroyed once, and never while a call is using it.
///
/// `state` is twice the number of calls that are using the handle, plus one when it is closed. A
/// call acquires before its downcall and releases after it. Closing sets the lowest bit: from then
/// on nobody acquires, so the count only falls, and it reaches zero once, in [#close] or in the
/// last [#release]. Whoever sees that destroys. No lock is held across a downcall, closing does not
/// wait for a long program, and the memory goes as soon as the last call has ended. A use costs two
/// uncontended atomic operations.
///
/// A handle never refers to the object that owns it, so a Cleaner may hold it.
abstract class Handle {
  private static final int CLOSED = 1;
  private static final int USE = 2;
  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(Handle.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("Handle.state", e);
    }
  }

  private final MemorySegment address;

  @SuppressWarnings("unused") // by STATE
  private volatile int state;

  Handle(MemorySegment address) {
    this.address = address;
  }

  /// Gives the handle back to the native library.
  abstract void destroy(MemorySegment address);

  /// What this is, for people: `program of 12 instructions`.
  @Override
  public abstract String toString();

  /// Starts a use, to be ended by [#release].
  ///
  /// @throws IllegalStateException if the handle is closed
  final MemorySegment acquire(String op) {
    int seen;
    do {
      seen = state;
      if ((seen & CLOSED) != 0) {
        throw new IllegalStateException("[" + op + "] " + this + " is closed");
      }
    } while (!STATE.compareAndSet(this, seen, seen + USE));
    return address;
  }

  final void release() {
    if ((int) STATE.getAndAdd(this, -USE) == USE + CLOSED) {
      destroy(address);
    }
  }

  /// The native pointer, to be used between [#acquire] and [#release].
  final MemorySegment address() {
    return address;
  }

  /// Refuses further use and destroys, now or at the end of the last use. False if it was closed
  /// already.
  final boolean close() {
    int before = (int) STATE.getAndBitwiseOr(this, CLOSED);
    if (before == 0) {
      destroy(address);
    }
    return (before & CLOSED) == 0;
  }
}
