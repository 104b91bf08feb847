package dev.gatun.backend.ffm;

import dev.gatun.DType;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Frames;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.ffi.NativeMemory;
import dev.gatun.ffi.gatun_h;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner.Cleanable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import org.jspecify.annotations.Nullable;

/// A native buffer.
final class FfmMemory implements Memory {
  private static final int BOUNCE_BYTES = 1 << 20;

  private final Buffer handle;
  private final Cleanable cleanable;

  // Made by the first map(). The mapping keeps this object reachable, so that the Cleaner does not
  // free bytes that a ByteBuffer still shows; that is why they lie here and not in the handle,
  // which the Cleaner holds.
  private @Nullable Arena arena;
  private @Nullable ByteBuffer mapping;

  private FfmMemory(Buffer handle) {
    this.handle = handle;
    this.cleanable = NativeLeaks.watch(this, handle);
  }

  static FfmMemory create(
      MemorySegment device, long bytes, Kind kind, String holder, Holders holders) {
    MemorySegment out = Scratch.segment();
    try {
      Status.check(gatun_h.gt_buffer_create(out, device, bytes, Codes.code(kind)));
    } catch (OutOfDeviceMemoryException e) {
      throw new OutOfDeviceMemoryException(
          "%s; asked for by %s, held by %s".formatted(e.getMessage(), holder, holders));
    }
    MemorySegment address = out.get(ValueLayout.ADDRESS, 0);
    holders.add(holder, bytes);
    return new FfmMemory(new Buffer(address, bytes, kind, holder, holders));
  }

  /// Tells a stream that records about its frames.
  static void setFrames(MemorySegment stream, Frames frames) {
    Handle current = ours(frames.current()).handle;
    Handle all = ours(frames.all()).handle;
    MemorySegment one = current.acquire("record");
    try {
      MemorySegment several = all.acquire("record");
      try {
        Status.check(gatun_h.gt_stream_set_frames(stream, one, several));
      } finally {
        all.release();
      }
    } finally {
      current.release();
    }
  }

  private static FfmMemory ours(Memory memory) {
    if (memory instanceof FfmMemory ours) {
      return ours;
    }
    throw new IllegalArgumentException(
        "[record] memory for frames belongs to another backend: it is a "
            + memory.getClass().getName());
  }

  @Override
  public long bytes() {
    return handle.bytes;
  }

  @Override
  public View view(long byteOffset, DType dtype, Shape shape) {
    MemorySegment buffer = handle.acquire("view");
    try {
      return FfmView.create(buffer, byteOffset, dtype, shape);
    } finally {
      handle.release();
    }
  }

  @Override
  public synchronized ByteBuffer map() {
    MemorySegment buffer = handle.acquire("map");
    try {
      if (mapping == null) {
        MemorySegment out = Scratch.segment();
        Status.check(gatun_h.gt_buffer_map(out, buffer));
        // Shared, so that every thread may use the bytes: closing costs a handshake with all
        // threads, which is why memory that is never mapped has none.
        Arena shared = Arena.ofShared();
        mapping = NativeMemory.buffer(out.get(ValueLayout.ADDRESS, 0), handle.bytes, shared, this);
        arena = shared;
      }
      return mapping.duplicate().order(ByteOrder.nativeOrder());
    } finally {
      handle.release();
    }
  }

  @Override
  public void read(long byteOffset, ByteBuffer target) {
    if (target.isReadOnly()) {
      throw new ReadOnlyBufferException();
    }
    MemorySegment buffer = handle.acquire("read");
    try {
      int bytes = checkedCount("read", byteOffset, target);
      MemorySegment host = MemorySegment.ofBuffer(target);
      if (host.isNative()) {
        Status.check(gatun_h.gt_buffer_read(buffer, byteOffset, host, bytes));
      } else {
        try (Arena call = Arena.ofConfined()) {
          MemorySegment bounce = call.allocate(Math.min(bytes, BOUNCE_BYTES));
          for (long done = 0; done < bytes; done += BOUNCE_BYTES) {
            long part = Math.min(BOUNCE_BYTES, bytes - done);
            Status.check(gatun_h.gt_buffer_read(buffer, byteOffset + done, bounce, part));
            MemorySegment.copy(bounce, 0, host, done, part);
          }
        }
      }
      target.position(target.limit());
    } finally {
      handle.release();
    }
  }

  @Override
  public void write(long byteOffset, ByteBuffer source) {
    MemorySegment buffer = handle.acquire("write");
    try {
      int bytes = checkedCount("write", byteOffset, source);
      MemorySegment host = MemorySegment.ofBuffer(source);
      if (host.isNative()) {
        Status.check(gatun_h.gt_buffer_write(buffer, byteOffset, host, bytes));
      } else {
        try (Arena call = Arena.ofConfined()) {
          MemorySegment bounce = call.allocate(Math.min(bytes, BOUNCE_BYTES));
          for (long done = 0; done < bytes; done += BOUNCE_BYTES) {
            long part = Math.min(BOUNCE_BYTES, bytes - done);
            MemorySegment.copy(host, done, bounce, 0, part);
            Status.check(gatun_h.gt_buffer_write(buffer, byteOffset + done, bounce, part));
          }
        }
      }
      source.position(source.limit());
    } finally {
      handle.release();
    }
  }

  /// The bytes that the host's buffer has left, which must fit here.
  private int checkedCount(String op, long byteOffset, ByteBuffer host) {
    int count = host.remaining();
    if (byteOffset < 0 || byteOffset > handle.bytes - count) {
      throw new IllegalArgumentException(
          "[%s] %d bytes from offset %d do not fit into %s"
              .formatted(op, count, byteOffset, handle));
    }
    return count;
  }

  /// @throws IllegalStateException if an operation, such as reading a file into it, is using the
  ///   mapped bytes right now; the memory stays open then
  @Override
  public synchronized void close() {
    if (arena != null && arena.scope().isAlive()) {
      try {
        arena.close();
      } catch (IllegalStateException inUse) {
        throw new IllegalStateException(
            "[close] an operation is using the mapped bytes of " + handle, inUse);
      }
    }
    handle.close();
    cleanable.clean();
  }

  @Override
  public String toString() {
    return handle.toString();
  }

  private static final class Buffer extends Handle {
    private final long bytes;
    private final Kind kind;
    private final String holder;
    private final Holders holders;

    Buffer(MemorySegment address, long bytes, Kind kind, String holder, Holders holders) {
      super(address);
      this.bytes = bytes;
      this.kind = kind;
      this.holder = holder;
      this.holders = holders;
    }

    @Override
    void destroy(MemorySegment address) {
      gatun_h.gt_buffer_destroy(address);
      holders.remove(holder, bytes);
    }

    @Override
    public String toString() {
      return "memory of " + bytes + " bytes (" + kind + ")";
    }
  }
}
