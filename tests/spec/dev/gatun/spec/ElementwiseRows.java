package dev.gatun.spec;

import static dev.gatun.spec.Fill.AWAY_FROM_ZERO;
import static dev.gatun.spec.Fill.HALF_STEPS;
import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.POSITIVE;
import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Fill.STEPS;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.Affine;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.UnaryOp;
import java.util.List;

/// Functions of one and two operands, element by element.
final class ElementwiseRows {
  private static final String POLYNOMIAL =
      "vector polynomials for exp and log are good to 4 units, and a division follows";

  private ElementwiseRows() {}

  static List<OpRow> rows() {
    return List.of(
        unary(Unary.NEGATE, NORMAL),
        unary(Unary.ABS, AWAY_FROM_ZERO),
        unary(Unary.SQUARE, NORMAL),
        unary(Unary.SQRT, POSITIVE),
        unary(Unary.EXP, NORMAL).ulps(8, POLYNOMIAL),
        unary(Unary.LOG, POSITIVE).ulps(8, POLYNOMIAL),
        unary(Unary.RELU, AWAY_FROM_ZERO),
        unary(Unary.SIGMOID, NORMAL).ulps(8, POLYNOMIAL),
        unary(Unary.TANH, NORMAL).ulps(8, POLYNOMIAL),
        unary(Unary.SIGN, AWAY_FROM_ZERO),
        binary(Binary.ADD, NORMAL, NORMAL),
        binary(Binary.SUBTRACT, NORMAL, NORMAL),
        binary(Binary.MULTIPLY, NORMAL, NORMAL),
        binary(Binary.DIVIDE, NORMAL, AWAY_FROM_ZERO),
        binary(Binary.MAXIMUM, STEPS, HALF_STEPS),
        binary(Binary.MINIMUM, STEPS, HALF_STEPS),
        binary(Binary.GATE, NORMAL, AWAY_FROM_ZERO),
        OpRow.of(new Affine(1.7, -0.3))
            .on(real(7, 13))
            .on(real())
            .on(real(0))
            .on(real(5, 7, 11, 13))
            .on(new Affine(1, 0), real(17))
            .on(new Affine(-2, 0), real(3, 5))
            .on(new Affine(0, 4), real(9))
            .on(new Affine(0.5, 1), real(97, 1031))
            .values(real(SPECIAL, 13))
            .ulps(4, "scale and shift rounded to the dtype, product and sum rounded or fused")
            .bf16(1)
            .gradient()
            .refuses("real tensor (f32, f64 or bf16), found i32 (2)", integers(2))
            .refuses("expected 1 inputs, found 2", real(2), real(2)));
  }

  private static OpRow unary(Unary op, Fill fill) {
    return OpRow.of(new UnaryOp(op))
        .bf16(1)
        .on(real(fill, 7, 13))
        .on(real(fill))
        .on(real(fill, 1))
        .on(real(fill, 0, 3))
        .on(real(fill, 5, 7, 11, 13))
        .on(real(fill, 97, 1031))
        .values(real(SPECIAL, 33))
        .gradient()
        .refuses("real tensor (f32, f64 or bf16), found i32 (2)", integers(2))
        .refuses("expected 1 inputs, found 2", real(2), real(2));
  }

  private static OpRow binary(Binary op, Fill a, Fill b) {
    return OpRow.of(new BinaryOp(op))
        .bf16(1)
        .on(real(a, 7, 13), real(b, 7, 13))
        .on(real(a), real(b))
        .on(real(a), real(b, 5))
        .on(real(a, 5), real(b))
        .on(real(a, 1), real(b, 1))
        .on(real(a, 0, 3), real(b, 3))
        .on(real(a, 5, 7, 11), real(b, 11))
        .on(real(a, 13), real(b, 7, 13))
        .on(real(a, 5, 1, 11), real(b, 7, 1))
        .on(real(a, 2, 3, 1, 5), real(b, 3, 4, 1))
        .on(real(a, 2, 3, 4, 5), real(b, 2, 1, 1, 5))
        .on(real(a, 97, 1031), real(b, 97, 1031))
        .on(real(a, 97, 1031), real(b, 1031))
        .values(real(SPECIAL, 10, 1), real(SPECIAL, 1, 10))
        .gradient()
        .accepts(ElementwiseRows::broadcasts)
        .refuses("shapes do not broadcast: f32 (2, 3) and f32 (4)", real(2, 3), real(4))
        .refuses("dtypes differ: f32 (3) and f64 (3)", real(3), typed(DType.F64, NORMAL, 3))
        .refuses("real tensor (f32, f64 or bf16), found i32 (2)", integers(2), integers(2))
        .refuses("expected 2 inputs, found 1", real(2));
  }

  private static Input integers(long count) {
    return typed(DType.I32, Fill.integers(0, 9), count);
  }

  /// The contract of the instruction `binary`: one floating dtype, and both operands broadcast to
  /// the output.
  static boolean broadcasts(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    TensorType y = outputs.getFirst();
    return y.dtype().isFloating()
        && inputs.stream()
            .allMatch(input -> input.dtype() == y.dtype() && broadcasts(input.shape(), y.shape()));
  }

  private static boolean broadcasts(Shape from, Shape to) {
    int extra = to.rank() - from.rank();
    for (int i = 0; i < from.rank(); i++) {
      if (extra < 0 || (from.dim(i) != 1 && from.dim(i) != to.dim(i + extra))) {
        return false;
      }
    }
    return extra >= 0;
  }
}
