package dev.gatun.backend;

import dev.gatun.DType;
import dev.gatun.Shape;

/// A dense, row-major tensor inside a [Memory], the operand of instructions. Closing it gives back
/// its handle, not the memory. After close every instruction refuses it with an
/// [IllegalStateException].
public interface View extends AutoCloseable {
  /// The type of the elements.
  DType dtype();

  /// The extents.
  Shape shape();

  /// Gives back the handle; a second call does nothing.
  @Override
  void close();
}
