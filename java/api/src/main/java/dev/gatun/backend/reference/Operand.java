package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// One operand of an instruction. Each check passes or throws, naming the instruction, the operand,
/// what it must be and what it is.
record Operand(String op, String name, ReferenceView view, Elements elements) {
  DType dtype() {
    return view.dtype();
  }

  Shape shape() {
    return view.shape();
  }

  int rank() {
    return shape().rank();
  }

  /// The extent along `axis`; negative axes count from the last.
  int dim(int axis) {
    return (int) shape().dim(axis);
  }

  int count() {
    return (int) shape().count();
  }

  Reals reals() {
    return (Reals) elements;
  }

  static @Nullable Reals realsOrNull(@Nullable Operand operand) {
    return operand == null ? null : operand.reals();
  }

  Integers integers() {
    return (Integers) elements;
  }

  void requireDtype(DType expected) {
    if (dtype() != expected) {
      throw refusal("must be %s, but is %s".formatted(ReferenceMemory.describe(expected), view));
    }
  }

  void requireRank(int expected) {
    if (rank() != expected) {
      throw refusal("must have rank %d, but is %s".formatted(expected, view));
    }
  }

  /// For instructions along the last axis.
  void requireAxis() {
    if (rank() == 0) {
      throw refusal("must have at least one axis, but is %s".formatted(view));
    }
  }

  void requireShape(long... dims) {
    requireShape(Shape.of(dims));
  }

  void requireShape(Shape expected) {
    if (!shape().equals(expected)) {
      throw refusal(
          "must be %s, but is %s".formatted(ReferenceMemory.describe(dtype(), expected), view));
    }
  }

  private ShapeException refusal(String reason) {
    return new ShapeException("[%s] %s %s".formatted(op, name, reason));
  }
}
