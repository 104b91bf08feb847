package dev.gatun.spec;

import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.Concat;
import dev.gatun.graph.op.Convert;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Dropout;
import dev.gatun.graph.op.Expand;
import dev.gatun.graph.op.Full;
import dev.gatun.graph.op.Literal;
import dev.gatun.graph.op.Permute;
import dev.gatun.graph.op.Reshape;
import dev.gatun.graph.op.Slice;
import dev.gatun.graph.op.SubsamplePad;
import java.util.List;
import java.util.stream.LongStream;

/// Filling, copying, converting, moving and masking: nothing is computed, so nothing may differ.
final class MovementRows {
  /// Halfway between two numbers of BF16, on either side of it, and what rounds to infinity.
  private static final Fill BF16_EDGES =
      Fill.cycle(
          1 + 0x1p-8,
          1 + 0x3p-8,
          1 + 0x1p-8 + 0x1p-23,
          1 + 0x3p-8 - 0x1p-22,
          -1 - 0x1p-8,
          3.3961775e38,
          -3.4e38,
          Float.MAX_VALUE,
          Float.MIN_NORMAL);

  private MovementRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(full(DType.F32, 3.5, 5, 7))
            .on(full(DType.F32, 3.5, 5, 7))
            .on(full(DType.F32, -0.1))
            .on(full(DType.F64, -0.1, 11, 13))
            .on(full(DType.F64, Double.NaN, 2))
            .on(full(DType.I32, -3.7, 13))
            .on(full(DType.I32, 1e12, 2))
            .on(full(DType.I64, 1e12, 3))
            .on(full(DType.U8, 300, 17))
            .on(full(DType.BF16, 0.1, 19))
            .on(full(DType.BF16, 3.39e38, 2))
            .on(full(DType.F32, 1, 0, 4))
            .on(full(DType.F32, 2, 97, 1031))
            .accepts((op, outputs, inputs) -> true)
            .refuses("expected 0 inputs, found 1", real(2)),
        OpRow.of(literal(DType.F32, 2))
            .on(literal(DType.F32, 2))
            .on(literal(DType.F32))
            .on(literal(DType.F64, 3, 5, 7))
            .on(literal(DType.I32, 97))
            .on(literal(DType.I64, 5))
            .on(literal(DType.F32, 0, 4))
            .accepts((op, outputs, inputs) -> true)
            .refuses("expected 0 inputs, found 1", real(2))
            .refuses(
                "expected 3 elements for f32 (3), found 1",
                () -> new Literal(new TensorType(DType.F32, Shape.of(3)), List.of(1.0))),
        OpRow.of(new Copy())
            .on(real(7, 13))
            .on(real())
            .on(real(3, 0))
            .on(real(97, 1031))
            .on(typed(DType.I32, Fill.integers(-9, 9), 5, 7))
            .on(typed(DType.I64, Fill.integers(-9, 9), 3))
            .on(typed(DType.U8, Fill.integers(0, 255), 11))
            .values(real(Fill.SPECIAL, 13))
            .bf16(0)
            .gradient()
            .alsoInPlace(0, 0)
            .accepts(MovementRows::countsAgree)
            .refuses("expected 1 inputs, found 2", real(2), real(2)),
        OpRow.of(new Convert(DType.F64))
            .on(real(7, 13))
            .on(real(0))
            .on(typed(DType.U8, Fill.integers(0, 255), 5, 7))
            .on(typed(DType.I64, Fill.cycle(-1e15, 1e15, 3), 5))
            .values(real(Fill.SPECIAL, 13))
            .values(new Convert(DType.F32), real(5, 7))
            .values(new Convert(DType.F32), real(Fill.cycle(1e30, -1e-30, 0.1), 5))
            .values(new Convert(DType.F32), typed(DType.I32, Fill.integers(-99, 99), 13))
            .values(new Convert(DType.F32), typed(DType.U8, Fill.integers(0, 255), 33, 65))
            .values(new Convert(DType.BF16), real(97, 1031))
            .values(new Convert(DType.BF16), real(Fill.SPECIAL, 13))
            .values(new Convert(DType.BF16), real(BF16_EDGES, 9))
            .values(new Convert(DType.BF16), typed(DType.I64, Fill.cycle(257, -259, 1e15), 5))
            .values(new Convert(DType.I32), real(Fill.normal(3), 7, 13))
            .values(new Convert(DType.I32), real(Fill.SPECIAL, 13))
            .values(new Convert(DType.I32), real(Fill.cycle(1e10, -1e10, 2.5, -2.5), 5))
            .values(new Convert(DType.I64), real(Fill.cycle(1e30, -1e30, 2.5, -2.5), 5))
            .values(new Convert(DType.U8), real(Fill.cycle(300, -5, 254.9, 0.9), 5))
            .values(new Convert(DType.U8), typed(DType.I32, Fill.integers(-300, 600), 31))
            .bf16(0)
            .gradient()
            .alsoInPlace(0, 0)
            .accepts(MovementRows::countsAgree)
            .refuses("expected 1 inputs, found 0"),
        OpRow.of(new Reshape(Shape.of(7, 13)))
            .on(real(13, 7))
            .on(new Reshape(Shape.of(2, 3, 1)), real(6))
            .on(new Reshape(Shape.scalar()), real(1))
            .on(new Reshape(Shape.of(0)), real(3, 0))
            .on(new Reshape(Shape.of(6)), typed(DType.I32, Fill.integers(0, 5), 3, 2))
            .bf16(0)
            .gradient()
            .alsoInPlace(0, 0)
            .accepts(MovementRows::countsAgree)
            .refuses("cannot make (7, 13) (91 elements) of f32 (7, 12)", real(7, 12)),
        OpRow.of(permute(1, 0))
            .on(real(7, 13))
            .on(real(33, 130))
            .on(real(1, 5))
            .on(real(0, 5))
            .on(permute(), real())
            .on(permute(0), real(5))
            .on(permute(0, 3, 1, 2), real(2, 5, 7, 11))
            .on(permute(3, 1, 0, 2), real(5, 7, 11, 13))
            .on(permute(4, 0, 3, 1, 2), real(2, 3, 1, 5, 4))
            .on(permute(1, 2, 0), typed(DType.I32, Fill.integers(0, 99), 3, 4, 5))
            .on(permute(2, 0, 1), typed(DType.U8, Fill.integers(0, 255), 5, 7, 3))
            .on(permute(1, 0), typed(DType.I64, Fill.integers(0, 99), 3, 4))
            .bf16(0)
            .gradient()
            .refuses(
                "expected a permutation of the 2 axes of f32 (3, 4), found [0, 0]",
                () -> permute(0, 0),
                real(3, 4))
            .refuses("found [0, 2]", () -> permute(0, 2), real(3, 4))
            .refuses("found [0, -1]", () -> permute(0, -1), real(3, 4))
            .refuses("of the 1 axes", real(3)),
        OpRow.of(new Slice(1, 2, 9))
            .on(real(7, 13))
            .on(real(3, 9, 5))
            .on(real(0, 11))
            .on(new Slice(0, 1, 4), real(5))
            .on(new Slice(0, 3, 31), real(33, 130))
            .on(new Slice(3, 5, 8), real(2, 5, 7, 11))
            .on(new Slice(1, 0, 3), real(2, 3, 4))
            .on(new Slice(1, 4, 4), real(2, 5, 3))
            .on(new Slice(0, 0, 0), real(0, 5))
            .on(new Slice(2, 2, 3), real(2, 5, 7, 0))
            .on(new Slice(2, 8, 40), real(97, 5, 48))
            .on(new Slice(1, 1, 3), typed(DType.I32, Fill.integers(-99, 99), 3, 4, 5))
            .on(new Slice(0, 2, 5), typed(DType.U8, Fill.integers(0, 255), 7, 3))
            .on(new Slice(1, 1, 4), typed(DType.I64, Fill.integers(-99, 99), 3, 4))
            .values(real(Fill.SPECIAL, 3, 13))
            .bf16(0)
            .gradient()
            .accepts(MovementRows::takesSlice)
            .refuses(
                "expected 0 <= begin <= end <= 8 along axis 1 of f32 (7, 8), found begin 2 and end 9",
                real(7, 8))
            .refuses("found begin -1 and end 2", () -> new Slice(0, -1, 2), real(7, 8))
            .refuses("found begin 3 and end 2", () -> new Slice(0, 3, 2), real(7, 8))
            .refuses(
                "there is no axis 2 in f32 (7, 8), which has 2 axes",
                () -> new Slice(2, 0, 1),
                real(7, 8))
            .refuses("there is no axis 1 in f32 ()", real())
            .refuses("expected 1 inputs, found 2", real(7, 13), real(7, 13)),
        OpRow.of(new Concat(1, 0, 0))
            .on(real(7, 5), real(7, 3))
            .on(real(3, 4, 5), real(3, 0, 5), real(3, 1, 5), real(3, 2, 5))
            .on(real(2, 3))
            .on(real(0, 3), real(0, 2))
            .on(real(2, 0), real(2, 0))
            .on(new Concat(0, 0, 0), real(5), real(1), real(7))
            .on(new Concat(0, 0, 0), real(33, 65), real(2, 65))
            .on(new Concat(3, 0, 0), real(2, 5, 7, 3), real(2, 5, 7, 8), real(2, 5, 7, 1))
            .on(new Concat(2, 0, 0), real(97, 5, 16), real(97, 5, 32))
            .on(new Concat(1, 2, 0), real(3, 4, 5))
            .on(new Concat(1, 0, 3), real(3, 4, 5))
            .on(new Concat(0, 2, 1), real(3), real(4))
            .on(new Concat(2, 8, 16), real(33, 3, 24))
            .on(new Concat(0, 2, 1), real(0, 5))
            .on(new Concat(1, 0, 0), i32(3, 4), i32(3, 2))
            .on(
                new Concat(0, 1, 2),
                typed(DType.U8, Fill.integers(0, 255), 7, 3),
                typed(DType.U8, Fill.integers(0, 255), 2, 3))
            .on(new Concat(1, 1, 0), typed(DType.I64, Fill.integers(-99, 99), 3, 4))
            .values(real(Fill.SPECIAL, 3, 13), real(3, 2))
            .bf16(0)
            .gradient()
            .accepts(MovementRows::takesConcat)
            .refuses("expected 1 or more inputs, found 0")
            .refuses(
                "expected input 1 to differ from f32 (7, 5) along axis 1 alone, found f32 (6, 5)",
                real(7, 5),
                real(6, 5))
            .refuses("found f32 (7, 5, 1)", real(7, 5), real(7, 5, 1))
            .refuses("dtypes differ: f32 (7, 5) and i32 (7, 5)", real(7, 5), i32(7, 5))
            .refuses("there is no axis 1 in f32 (7), which has 1 axes", real(7), real(7))
            .refuses("at least 0 zeros before, found -1.0", () -> new Concat(0, -1, 0), real(7))
            .refuses("at least 0 zeros behind, found -2.0", () -> new Concat(0, 0, -2), real(7)),
        OpRow.of(new Expand(Shape.of(7, 13)))
            .on(real(1, 13))
            .on(real(13))
            .on(real(7, 1))
            .on(real())
            .on(new Expand(Shape.of(2, 5, 7, 11)), real(5, 1, 11))
            .on(new Expand(Shape.of(0, 3)), real(1, 3))
            .on(new Expand(Shape.of(97, 1031)), real(1031))
            .bf16(0)
            .gradient()
            .accepts(ElementwiseRows::broadcasts)
            .refuses("cannot make (7, 13)", real(2, 7, 13))
            .refuses("shapes do not broadcast", real(5, 13))
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 1, 13)),
        OpRow.of(new SubsamplePad(2, 8))
            .on(real(2, 5, 7, 3))
            .on(real(1, 1, 1, 8))
            .on(real(0, 4, 4, 3))
            .on(new SubsamplePad(1, 3), real(2, 3, 5, 3))
            .on(new SubsamplePad(3, 13), real(2, 7, 11, 5))
            .on(new SubsamplePad(2, 32), real(8, 32, 32, 16))
            .bf16(0)
            .gradient()
            .shapedBy((op, y) -> new SubsamplePad(((SubsamplePad) op).stride(), y.dim(-1)))
            .refuses(
                "expected a stride of at least 1, found 0",
                () -> new SubsamplePad(0, 8),
                real(2, 5, 7, 3))
            .refuses(
                "at least the 3 channels of f32 (2, 5, 7, 3), found 2",
                () -> new SubsamplePad(2, 2),
                real(2, 5, 7, 3))
            .refuses("expected x [N,H,W,C], found f32 (5, 7, 3)", real(5, 7, 3)),
        OpRow.of(new SubsamplePad.Backward(2, Shape.of(2, 5, 7, 3)))
            .on(real(2, 3, 4, 8))
            .on(new SubsamplePad.Backward(1, Shape.of(1, 1, 1, 2)), real(1, 1, 1, 2))
            .on(new SubsamplePad.Backward(2, Shape.of(0, 4, 4, 3)), real(0, 2, 2, 5))
            .on(new SubsamplePad.Backward(3, Shape.of(2, 7, 11, 5)), real(2, 3, 4, 13))
            .on(new SubsamplePad.Backward(2, Shape.of(8, 32, 32, 16)), real(8, 16, 16, 32))
            .bf16(0)
            .gradient()
            .shapedBy(
                (op, dx) -> new SubsamplePad.Backward(((SubsamplePad.Backward) op).stride(), dx))
            .refuses("expected dy (2, 3, 4, 8), found f32 (2, 3, 5, 8)", real(2, 3, 5, 8))
            .refuses("at least the 3 channels", real(2, 3, 4, 2)),
        OpRow.of(new Dropout(0.3, 7, 2))
            .on(real(7, 13), step(0))
            .on(real(1), step(5))
            .on(real(0, 4), step(1))
            .on(real(), step(3))
            .on(new Dropout(0, 7, 2), real(5, 7), step(1))
            .on(new Dropout(0.5, -1, 0), real(5, 7, 11), step(1e9))
            .on(new Dropout(0.999, 1, 1), real(257), step(2))
            .on(new Dropout(0.1, Long.MAX_VALUE, -1), real(97, 1031), step(4))
            .bf16(1)
            .gradient()
            .refuses(
                "expected a drop probability in [0, 1), found 1.0",
                () -> new Dropout(1, 7, 2),
                real(2),
                step(0))
            .refuses("found NaN", () -> new Dropout(Double.NaN, 7, 2), real(2), step(0))
            .refuses(
                "expected step of type I64, found i32 ()",
                real(7, 13),
                typed(DType.I32, Fill.constant(1)))
            .refuses(
                "expected step (), found i64 (1)",
                real(7, 13),
                typed(DType.I64, Fill.constant(1), 1)));
  }

  private static Full full(DType dtype, double value, long... dims) {
    return new Full(new TensorType(dtype, Shape.of(dims)), value);
  }

  /// Numbers that f32 and, but for their fraction, i32 can hold.
  private static Literal literal(DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    List<Double> elements = LongStream.range(0, shape.count()).mapToObj(i -> 1.75 * i - 2).toList();
    return new Literal(new TensorType(dtype, shape), elements);
  }

  private static Permute permute(Integer... axes) {
    return new Permute(List.of(axes));
  }

  private static Input i32(long... dims) {
    return typed(DType.I32, Fill.integers(-99, 99), dims);
  }

  private static Input step(double number) {
    return typed(DType.I64, Fill.constant(number));
  }

  /// The contract of the instruction `slice`, which learns the end from y.
  private static boolean takesSlice(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    Slice slice = (Slice) op;
    TensorType y = outputs.getFirst();
    TensorType x = inputs.getFirst();
    return y.dtype() == x.dtype()
        && differAlong(slice.axis(), y, x)
        && slice.begin() >= 0
        && slice.begin() + y.shape().dim(slice.axis()) <= x.shape().dim(slice.axis());
  }

  /// The contract of the instruction `concat`, which learns the zeros behind from y.
  private static boolean takesConcat(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    Concat concat = (Concat) op;
    TensorType y = outputs.getFirst();
    long extent = concat.before();
    for (TensorType input : inputs) {
      if (input.dtype() != y.dtype() || !differAlong(concat.axis(), input, y)) {
        return false;
      }
      extent += input.shape().dim(concat.axis());
    }
    return extent <= y.shape().dim(concat.axis());
  }

  private static boolean differAlong(int axis, TensorType a, TensorType b) {
    return a.shape().rank() == b.shape().rank()
        && axis < a.shape().rank()
        && a.shape().with(axis, 0).equals(b.shape().with(axis, 0));
  }

  /// The contract of the instruction `copy`.
  private static boolean countsAgree(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    return outputs.getFirst().shape().count() == inputs.getFirst().shape().count();
  }
}
