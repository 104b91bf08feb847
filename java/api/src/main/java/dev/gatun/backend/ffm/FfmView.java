package dev.gatun.backend.ffm;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.View;
import dev.gatun.ffi.gatun_h;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner.Cleanable;

/// A native tensor. It keeps its memory alive in the native library, not in Java.
final class FfmView implements View {
  private final Tensor handle;
  private final Cleanable cleanable;

  private FfmView(Tensor handle) {
    this.handle = handle;
    this.cleanable = NativeLeaks.watchQuietly(this, handle);
  }

  static FfmView create(MemorySegment buffer, long byteOffset, DType dtype, Shape shape) {
    MemorySegment out = Scratch.segment();
    for (int axis = 0; axis < shape.rank(); axis++) {
      out.setAtIndex(ValueLayout.JAVA_LONG, 1 + axis, shape.dim(axis));
    }
    MemorySegment dims = out.asSlice(Long.BYTES);
    Status.check(
        gatun_h.gt_tensor_create(out, buffer, byteOffset, Codes.code(dtype), shape.rank(), dims));
    return new FfmView(new Tensor(out.get(ValueLayout.ADDRESS, 0), dtype, shape));
  }

  Handle handle() {
    return handle;
  }

  @Override
  public DType dtype() {
    return handle.dtype;
  }

  @Override
  public Shape shape() {
    return handle.shape;
  }

  @Override
  public void close() {
    handle.close();
    cleanable.clean();
  }

  @Override
  public String toString() {
    return handle.toString();
  }

  private static final class Tensor extends Handle {
    private final DType dtype;
    private final Shape shape;

    Tensor(MemorySegment address, DType dtype, Shape shape) {
      super(address);
      this.dtype = dtype;
      this.shape = shape;
    }

    @Override
    void destroy(MemorySegment address) {
      gatun_h.gt_tensor_destroy(address);
    }

    @Override
    public String toString() {
      return "view " + dtype + " " + shape;
    }
  }
}
