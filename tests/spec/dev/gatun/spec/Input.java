package dev.gatun.spec;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.graph.TensorType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One input of a sample.
///
/// @param dtype of the elements; null for that of the case, F32, F64 or BF16
/// @param fill the elements
/// @param shape the extents
/// @param wide whether a BF16 case has F32 here
public record Input(@Nullable DType dtype, Fill fill, Shape shape, boolean wide) {
  /// A real input with normal elements.
  public static Input real(long... dims) {
    return real(Fill.NORMAL, dims);
  }

  /// A real input.
  public static Input real(Fill fill, long... dims) {
    return new Input(null, fill, Shape.of(dims), false);
  }

  /// A real input that is F32 beside BF16 ones: parameters and statistics per channel.
  public static Input wide(Fill fill, long... dims) {
    return new Input(null, fill, Shape.of(dims), true);
  }

  /// An input of a fixed type.
  public static Input typed(DType dtype, Fill fill, long... dims) {
    return new Input(dtype, fill, Shape.of(dims), false);
  }

  /// Labels for logits [`rows`,`classes`], some of them ignored.
  public static Input labels(int classes, long rows) {
    return typed(DType.I32, Fill.labels(classes), rows);
  }

  /// The type in a case of real type `real`.
  public TensorType type(DType real) {
    DType own = wide && real == DType.BF16 ? DType.F32 : real;
    return new TensorType(dtype == null ? own : dtype, shape);
  }

  /// Such as `(7,13)`, `i32(7):labels`.
  @Override
  public String toString() {
    String type = dtype == null ? "" : dtype.name().toLowerCase(Locale.ROOT);
    String filled = fill.name().isEmpty() ? "" : ":" + fill.name();
    return type + shape.toString().replace(" ", "") + filled;
  }
}
