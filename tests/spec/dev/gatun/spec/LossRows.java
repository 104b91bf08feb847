package dev.gatun.spec;

import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.labels;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.graph.op.Softmax;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.List;

/// Softmax, and softmax with cross-entropy.
final class LossRows {
  private static final String EXPONENTIALS =
      "exp to 4 units, sums of up to 1,000 terms, a logarithm or a division";

  private LossRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(new Softmax())
            .on(real(7, 13))
            .on(real(5))
            .on(real(5, 1))
            .on(real(2, 3, 5))
            .on(real(0, 5))
            .on(real(3, 0))
            .on(real(64, 1000))
            .on(real(Fill.normal(50), 7, 13))
            .values(real(SPECIAL, 3, 7))
            .ulps(64, EXPONENTIALS)
            .gradient()
            .refuses("expected at least one axis, found f32 ()", real())
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3)),
        OpRow.of(new SoftmaxCrossEntropy())
            .on(real(7, 13), labels(13, 7))
            .on(real(1, 1), typed(DType.I32, Fill.constant(0), 1))
            .on(real(5, 3), typed(DType.I32, Fill.constant(-1), 5))
            .on(real(0, 3), labels(3, 0))
            .on(real(128, 1000), labels(1000, 128))
            .on(real(300, 10), labels(10, 300))
            .on(real(Fill.normal(50), 7, 13), labels(13, 7))
            .values(real(TIES, 31, 4), labels(4, 31))
            .values(real(3, 4), typed(DType.I32, Fill.cycle(0, 4, 2), 3))
            .ulps(64, EXPONENTIALS)
            .gradient(0)
            .refuses("expected logits [N,C], found f32 (13)", real(13), labels(13, 13))
            .refuses("expected labels (7), found i32 (6)", real(7, 13), labels(13, 6))
            .refuses(
                "expected labels of type I32, found u8 (7)",
                real(7, 13),
                typed(DType.U8, Fill.integers(0, 9), 7))
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 7, 13), labels(13, 7)),
        OpRow.of(new SoftmaxCrossEntropy.Backward())
            .on(real(7, 13), labels(13, 7), real())
            .on(real(1, 1), typed(DType.I32, Fill.constant(0), 1), real())
            .on(real(5, 3), typed(DType.I32, Fill.constant(-1), 5), real())
            .on(real(0, 3), labels(3, 0), real())
            .on(real(128, 1000), labels(1000, 128), real())
            .on(real(300, 10), labels(10, 300), real())
            .on(real(Fill.normal(50), 7, 13), labels(13, 7), real())
            .ulps(64, EXPONENTIALS)
            .refuses("expected dloss (), found f32 (1)", real(7, 13), labels(13, 7), real(1))
            .refuses("expected labels (7), found i32 (8)", real(7, 13), labels(13, 8), real())
            .refuses("dtypes differ", real(7, 13), labels(13, 7), typed(DType.F64, Fill.NORMAL)),
        OpRow.of(new SoftmaxCrossEntropy.Training())
            .on(real(7, 13), labels(13, 7), real())
            .on(real(1, 1), typed(DType.I32, Fill.constant(0), 1), real())
            .on(real(5, 3), typed(DType.I32, Fill.constant(-1), 5), real())
            .on(real(0, 3), labels(3, 0), real())
            .on(real(128, 1000), labels(1000, 128), real())
            .on(real(300, 10), labels(10, 300), real())
            .on(real(Fill.normal(50), 7, 13), labels(13, 7), real())
            .values(real(TIES, 31, 4), labels(4, 31), real())
            .values(real(3, 4), typed(DType.I32, Fill.cycle(0, 4, 2), 3), real())
            .ulps(64, EXPONENTIALS)
            .refuses("expected dloss (), found f32 (1)", real(7, 13), labels(13, 7), real(1))
            .refuses("expected labels (7), found i32 (8)", real(7, 13), labels(13, 8), real())
            .refuses("expected 3 inputs, found 2", real(7, 13), labels(13, 7))
            .refuses("dtypes differ", real(7, 13), labels(13, 7), typed(DType.F64, Fill.NORMAL)));
  }
}
