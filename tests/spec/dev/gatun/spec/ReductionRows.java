package dev.gatun.spec;

import static dev.gatun.spec.Fill.DISTINCT;
import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.graph.op.Argmax;
import dev.gatun.graph.op.Reduce;
import java.util.List;

/// Sums, means, maxima and the place of the maximum.
final class ReductionRows {
  private static final String SUM =
      "100,000 terms of either sign; in F64 the reference adds one by one";

  private ReductionRows() {}

  static List<OpRow> rows() {
    return List.of(
        reduce(Reduction.SUM)
            .ulps(32, 512, SUM)
            .values(over(Reduction.SUM, 0b01), real(0, 3))
            .gradient(),
        reduce(Reduction.MEAN)
            .ulps(32, 512, SUM)
            .values(over(Reduction.MEAN, 0b01), real(0, 3))
            .gradient(),
        reduce(Reduction.MAX)
            .refuses(
                "the maximum of nothing is not defined: f32 (0, 3)",
                () -> over(Reduction.MAX, 0b01),
                real(0, 3))
            .gradient(),
        OpRow.of(new Argmax())
            .values(real(DISTINCT, 7, 13))
            .values(real(DISTINCT, 5))
            .values(real(5, 7, 1))
            .values(real(0, 3))
            .values(real(TIES, 5, 7, 11))
            .values(real(SPECIAL, 7, 9))
            .values(real(3001, 33))
            .refuses("expected a last axis with elements, found f32 ()", real())
            .refuses("found f32 (3, 0)", real(3, 0))
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3)));
  }

  private static OpRow reduce(Reduction op) {
    return OpRow.of(over(op, 0b10))
        .on(real(7, 13))
        .on(real(13, 1))
        .on(real(0, 5))
        .on(over(op, 0b01), real(7, 13))
        .on(over(op, 0b11), real(7, 13))
        .on(over(op, 0b00), real(7, 13))
        .on(over(op, 0), real())
        .on(over(op, 0b1), real(1))
        .on(over(op, 0b010), real(5, 7, 11))
        .on(over(op, 0b101), real(5, 7, 11))
        .on(over(op, 0b110), real(5, 7, 11))
        .on(over(op, 0b0111), real(5, 7, 11, 13))
        .on(over(op, 0b1010), real(5, 7, 11, 13))
        .on(over(op, 0b0110), real(5, 7, 11, 13))
        .on(over(op, 0b01), real(97, 1031))
        .on(over(op, 0b10), real(97, 1031))
        .on(over(op, 0b11), real(97, 1031))
        .values(real(SPECIAL, 3, 13))
        .refuses("axes 100 do not exist in f32 (7, 13)", () -> over(op, 0b100), real(7, 13))
        .refuses("do not exist", () -> over(op, Integer.MIN_VALUE), real(7, 13))
        .refuses("real tensor", typed(DType.I32, NORMAL, 7, 13))
        .refuses("expected 1 inputs", real(2), real(2));
  }

  private static Reduce over(Reduction op, int axes) {
    return new Reduce(op, axes);
  }
}
