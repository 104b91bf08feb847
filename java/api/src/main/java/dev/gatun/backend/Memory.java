package dev.gatun.backend;

import dev.gatun.DType;
import dev.gatun.Shape;
import java.nio.ByteBuffer;

/// A block of a device's memory, zeroed when it is made. Views and recorded programs keep the bytes
/// alive after close.
public interface Memory extends AutoCloseable {
  /// What memory is for.
  enum Kind {
    /// For instructions.
    DEVICE,
    /// For instructions, and mapped for the host: batches and scalars that Java writes and reads
    /// between steps.
    STAGING
  }

  /// The size in bytes.
  long bytes();

  /// A view of `shape.count()` elements from `byteOffset`.
  ///
  /// @throws IllegalArgumentException if the offset is not a multiple of the element size, or the
  ///   view does not fit
  /// @throws IllegalStateException if the memory is closed
  View view(long byteOffset, DType dtype, Shape shape);

  /// The bytes as the host sees them, in native order, without a copy. Using the buffer after
  /// [#close] throws an [IllegalStateException], it never touches freed memory.
  ///
  /// @throws UnsupportedOperationException if this is device memory of a device that the host
  ///   cannot see
  /// @throws IllegalArgumentException if there are more bytes than a ByteBuffer can hold
  ByteBuffer map();

  /// Copies `target.remaining()` bytes from `byteOffset` on into `target`.
  void read(long byteOffset, ByteBuffer target);

  /// Copies `source.remaining()` bytes into this memory from `byteOffset` on.
  void write(long byteOffset, ByteBuffer source);

  /// Gives the memory back; a second call does nothing.
  @Override
  void close();
}
