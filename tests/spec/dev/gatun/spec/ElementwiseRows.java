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
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AffineStep;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.BinaryStep;
import dev.gatun.backend.Backend.Step;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Backend.UnaryStep;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.Affine;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Elementwise;
import dev.gatun.graph.op.UnaryOp;
import java.util.ArrayList;
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
            .refuses("expected 1 inputs, found 2", real(2), real(2)),
        chain());
  }

  private static OpRow chain() {
    List<Step> silu =
        List.of(new UnaryStep(Unary.SIGMOID, 0), new BinaryStep(Binary.MULTIPLY, 0, 1));
    List<Step> gelu =
        List.of(
            new UnaryStep(Unary.SQUARE, 0),
            new BinaryStep(Binary.MULTIPLY, 1, 0),
            new AffineStep(2, 0.044715, 0),
            new BinaryStep(Binary.ADD, 3, 0),
            new AffineStep(4, 0.7978845608, 0),
            new UnaryStep(Unary.TANH, 5),
            new AffineStep(6, 0.5, 0.5),
            new BinaryStep(Binary.MULTIPLY, 7, 0));
    List<Step> gated =
        List.of(
            new BinaryStep(Binary.MULTIPLY, 0, 1),
            new BinaryStep(Binary.ADD, 3, 2),
            new BinaryStep(Binary.GATE, 4, 0));
    List<Step> sum = new ArrayList<>(List.of(new BinaryStep(Binary.ADD, 0, 1)));
    for (int i = 2; i < Backend.MAX_STEP_INPUTS; i++) {
      sum.add(new BinaryStep(Binary.ADD, Backend.MAX_STEP_INPUTS + i - 2, i));
    }
    List<Step> long16 = new ArrayList<>(List.of(new AffineStep(0, 0.5, 1)));
    while (long16.size() < Backend.MAX_STEPS) {
      int k = long16.size();
      long16.add(k % 2 == 0 ? new UnaryStep(Unary.TANH, k) : new BinaryStep(Binary.ADD, k, 0));
    }
    return OpRow.of(new Elementwise(1, silu))
        .on(real(7, 13))
        .on(real())
        .on(real(0, 3))
        .on(real(5, 7, 11, 13))
        .on(real(97, 1031))
        .on(new Elementwise(1, gelu), real(7, 13))
        .on(new Elementwise(1, gelu), real(41, 1031))
        .on(new Elementwise(3, gated), real(AWAY_FROM_ZERO, 5, 7, 11), real(11), real(5, 1, 1))
        .on(new Elementwise(3, gated), real(AWAY_FROM_ZERO, 13), real(7, 13), real())
        .on(new Elementwise(3, gated), real(AWAY_FROM_ZERO, 2, 1), real(3, 1, 4), real(0, 1, 2, 1))
        .on(
            new Elementwise(Backend.MAX_STEP_INPUTS, sum),
            real(3, 5),
            real(5),
            real(3, 1),
            real(),
            real(3, 5),
            real(1, 5),
            real(1),
            real(2, 3, 5))
        .on(new Elementwise(1, long16), real(3, 700))
        .values(real(SPECIAL, 33))
        .ulps(32, "the errors of each step, which the next ones may enlarge")
        .bf16(6)
        .accepts(ElementwiseRows::broadcasts)
        .refuses("shapes do not broadcast", () -> new Elementwise(2, product(1)), real(2), real(3))
        .refuses(
            "dtypes differ",
            () -> new Elementwise(2, product(1)),
            real(3),
            typed(DType.F64, NORMAL, 3))
        .refuses("real tensor (f32, f64 or bf16), found i32 (2)", integers(2))
        .refuses("expected 1 inputs, found 2", real(2), real(2))
        .refuses("expected 1 to 8 inputs, found 9", () -> new Elementwise(9, silu), real(2))
        .refuses("expected 1 to 16 steps, found 0", () -> new Elementwise(1, List.of()), real(2))
        .refuses(
            "expected operands of step 0 from 0 to 0, found 1",
            () -> new Elementwise(1, product(1)),
            real(2));
  }

  private static List<Step> product(int factor) {
    return List.of(new BinaryStep(Binary.MULTIPLY, 0, factor));
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
