package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import java.util.Locale;

/// What is known of a tensor before it exists.
///
/// @param dtype the type of the elements
/// @param shape the extents
public record TensorType(DType dtype, Shape shape) {
  /// The type of `tensor`.
  public static TensorType of(Tensor tensor) {
    return new TensorType(tensor.dtype(), tensor.shape());
  }

  /// The bytes of such a tensor.
  public long bytes() {
    return shape.count() * dtype.bytes();
  }

  /// This type with another shape.
  public TensorType with(Shape other) {
    return new TensorType(dtype, other);
  }

  /// Such as `f32 (128, 10)`.
  @Override
  public String toString() {
    return dtype.name().toLowerCase(Locale.ROOT) + " " + shape;
  }
}
