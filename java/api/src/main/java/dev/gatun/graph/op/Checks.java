package dev.gatun.graph.op;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Window;
import dev.gatun.graph.TensorType;
import java.util.List;
import java.util.Locale;

/// The shape rules' vocabulary: each method passes or throws a [ShapeException] that says expected
/// and found.
final class Checks {
  private Checks() {}

  static void arity(String op, List<TensorType> inputs, int count) {
    if (inputs.size() != count) {
      throw new ShapeException(
          "[%s] expected %d inputs, found %d".formatted(op, count, inputs.size()));
    }
  }

  static void real(String op, List<TensorType> inputs) {
    TensorType first = inputs.getFirst();
    for (TensorType input : inputs) {
      if (!input.dtype().isReal()) {
        throw new ShapeException(
            "[%s] expected a real tensor (f32 or f64), found %s".formatted(op, input));
      }
      if (input.dtype() != first.dtype()) {
        throw new ShapeException("[%s] dtypes differ: %s and %s".formatted(op, first, input));
      }
    }
  }

  /// For ops that also work on BF16. Inputs `stored` share their dtype; `wide` ones have it too, or
  /// F32 beside BF16.
  static void floating(String op, List<TensorType> stored, List<TensorType> wide) {
    TensorType first = stored.getFirst();
    stored.forEach(input -> floating(op, first, input, first.dtype()));
    DType sums = wide(first).dtype();
    wide.forEach(input -> floating(op, first, input, sums));
  }

  static void floating(String op, List<TensorType> stored) {
    floating(op, stored, List.of());
  }

  private static void floating(String op, TensorType first, TensorType input, DType expected) {
    if (!input.dtype().isFloating()) {
      throw new ShapeException(
          "[%s] expected a real tensor (f32, f64 or bf16), found %s".formatted(op, input));
    }
    if (input.dtype() != expected) {
      throw new ShapeException("[%s] dtypes differ: %s and %s".formatted(op, first, input));
    }
  }

  /// `type` itself, or in F32 if it is BF16: what sums over it are kept in.
  static TensorType wide(TensorType type) {
    return type.dtype() == DType.BF16 ? new TensorType(DType.F32, type.shape()) : type;
  }

  /// `tensor` itself, or in F32 if it is BF16.
  static Tensor wide(Tensor tensor) {
    return tensor.dtype() == DType.BF16 ? tensor.as(DType.F32) : tensor;
  }

  static void rank(String op, String what, TensorType type, int rank, String axes) {
    if (type.shape().rank() != rank) {
      throw new ShapeException("[%s] expected %s %s, found %s".formatted(op, what, axes, type));
    }
  }

  static void shape(String op, String what, TensorType type, Shape expected) {
    if (!type.shape().equals(expected)) {
      throw new ShapeException("[%s] expected %s %s, found %s".formatted(op, what, expected, type));
    }
  }

  /// `axis` of `type` counted from 0; negative ones count from the last.
  static int axis(String op, int axis, TensorType type) {
    int rank = type.shape().rank();
    int index = axis < 0 ? axis + rank : axis;
    if (index < 0 || index >= rank) {
      throw new ShapeException(
          "[%s] there is no axis %d in %s, which has %d axes".formatted(op, axis, type, rank));
    }
    return index;
  }

  static void dtype(String op, String what, TensorType type, DType expected) {
    if (type.dtype() != expected) {
      throw new ShapeException(
          "[%s] expected %s of type %s, found %s".formatted(op, what, expected, type));
    }
  }

  static void pooling(String op, Window window) {
    if (!window.isPlain()) {
      throw new ShapeException(
          "[%s] expected neither dilation nor groups, found the window %s with %d groups"
              .formatted(op, window.size(), window.groups()));
    }
    if (Math.max(window.padTop(), window.padBottom()) >= window.height()
        || Math.max(window.padLeft(), window.padRight()) >= window.width()) {
      throw new ShapeException(
          "[%s] expected padding less than the window %s, found %s"
              .formatted(op, window.size(), window.padding()));
    }
  }

  /// The shape [N,P,Q,channels] of what `window` makes of `x` [N,H,W,C].
  static Shape windowed(String op, TensorType x, Window window, long channels) {
    rank(op, "x", x, 4, "[N,H,W,C]");
    long height = window.outputHeight(x.shape().dim(1));
    long width = window.outputWidth(x.shape().dim(2));
    if (height < 1 || width < 1) {
      throw new ShapeException(
          "[%s] the window %s does not fit into %dx%d with padding %s"
              .formatted(op, window.size(), x.shape().dim(1), x.shape().dim(2), window.padding()));
    }
    return Shape.of(x.shape().dim(0), height, width, channels);
  }

  static void algorithm(String op, ConvAlgorithm algorithm, Window window, TensorType x) {
    if (algorithm == ConvAlgorithm.WINOGRAD && !window.isPlain()) {
      throw new ShapeException(
          "[%s] %s has no form with dilation or groups, found the window %s with %d groups"
              .formatted(op, algorithm, window.size(), window.groups()));
    }
    if (!window.allows(algorithm, x.dtype())) {
      throw new ShapeException(
          "[%s] %s needs f32, a 3x3 window and stride 1, found %s, %dx%d and %dx%d"
              .formatted(
                  op,
                  algorithm,
                  x.dtype().name().toLowerCase(Locale.ROOT),
                  window.height(),
                  window.width(),
                  window.strideHeight(),
                  window.strideWidth()));
    }
  }

  /// The NumPy broadcast of two shapes.
  static Shape broadcast(String op, TensorType a, TensorType b) {
    int rank = Math.max(a.shape().rank(), b.shape().rank());
    long[] dims = new long[rank];
    for (int i = 0; i < rank; i++) {
      long left = aligned(a.shape(), rank, i);
      long right = aligned(b.shape(), rank, i);
      if (left != right && left != 1 && right != 1) {
        throw new ShapeException("[%s] shapes do not broadcast: %s and %s".formatted(op, a, b));
      }
      dims[i] = left == 1 ? right : left;
    }
    return Shape.of(dims);
  }

  private static long aligned(Shape shape, int rank, int axis) {
    int own = axis - (rank - shape.rank());
    return own < 0 ? 1 : shape.dim(own);
  }

  /// An attribute: `expected a drop probability in [0, 1), found 1.0`.
  static void attribute(boolean holds, String op, String expected, double found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "[%s] expected %s, found %s".formatted(op, expected, found));
    }
  }
}
