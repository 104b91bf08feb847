package dev.gatun.backend.reference;

import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.backend.Backend.MemoryUse;

/// The part of the Java heap that one backend uses, and the count of it.
final class Heap {
  /// The longest array that common virtual machines make.
  private static final int MAX_BYTES = Integer.MAX_VALUE - 8;

  private long bytes;
  private long peakBytes;
  private long allocations;

  byte[] allocate(long size) {
    if (size < 0) {
      throw new IllegalArgumentException(
          "[allocate] bytes must not be negative, but is %d".formatted(size));
    }
    if (size > MAX_BYTES) {
      throw new OutOfDeviceMemoryException(
          "[allocate] the reference backend holds at most %d bytes in one piece, asked for %d"
              .formatted(MAX_BYTES, size));
    }
    try {
      byte[] array = new byte[(int) size];
      synchronized (this) {
        bytes += size;
        peakBytes = Math.max(peakBytes, bytes);
        allocations++;
      }
      return array;
    } catch (OutOfMemoryError e) {
      throw new OutOfDeviceMemoryException(
          "[allocate] the Java heap has no room for %d more bytes, %d are held; -Xmx sets its limit"
              .formatted(size, use().bytes()));
    }
  }

  synchronized void released(long size) {
    bytes -= size;
  }

  synchronized MemoryUse use() {
    return new MemoryUse(bytes, peakBytes, allocations);
  }
}
