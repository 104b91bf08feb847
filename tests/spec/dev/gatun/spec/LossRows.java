package dev.gatun.spec;

import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.labels;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.LogSoftmax;
import dev.gatun.graph.op.OneHot;
import dev.gatun.graph.op.Softmax;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.Arrays;
import java.util.List;

/// Softmax, its logarithm, labels as distributions, and softmax with cross-entropy.
final class LossRows {
  private static final String EXPONENTIALS =
      "exp to 4 units, sums of up to 1,000 terms, a logarithm or a division";

  private static final SoftmaxCrossEntropy SMOOTHED = new SoftmaxCrossEntropy(0.1, false);
  private static final SoftmaxCrossEntropy WEIGHTED = new SoftmaxCrossEntropy(0, true);
  private static final SoftmaxCrossEntropy BOTH = new SoftmaxCrossEntropy(0.2, true);

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
            .bf16(1)
            .gradient()
            .refuses("expected at least one axis, found f32 ()", real())
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3)),
        OpRow.of(new LogSoftmax())
            .on(real(7, 13))
            .on(real(5))
            .on(real(5, 1))
            .on(real(2, 3, 5))
            .on(real(0, 5))
            .on(real(3, 0))
            .on(real(64, 1000))
            .on(real(Fill.normal(300), 7, 13))
            .values(real(SPECIAL, 3, 7))
            .ulps(64, EXPONENTIALS)
            .bf16(1)
            .gradient()
            .refuses("expected at least one axis, found f32 ()", real())
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3)),
        oneHot(DType.F32),
        oneHot(DType.F64),
        oneHot(DType.BF16),
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
            .on(SMOOTHED, real(7, 13), labels(13, 7))
            .on(SMOOTHED, real(128, 1000), labels(1000, 128))
            .on(WEIGHTED, real(7, 13), labels(13, 7), real(Fill.POSITIVE, 13))
            .on(BOTH, real(30, 33), labels(33, 30), real(Fill.POSITIVE, 33))
            .values(WEIGHTED, real(4, 3), labels(3, 4), real(Fill.constant(0), 3))
            .on(real(7, 13), distributions(7, 13))
            .on(real(0, 3), distributions(0, 3))
            .on(real(64, 1000), distributions(64, 1000))
            .on(SMOOTHED, real(7, 13), distributions(7, 13))
            .on(BOTH, real(30, 33), distributions(30, 33), real(Fill.POSITIVE, 33))
            .values(real(5, 4), real(Fill.cycle(-1, 0, 0, 0, 0, 0.5, 0.5, 0), 5, 4))
            .values(real(SPECIAL, 5, 4), distributions(5, 4))
            .ulps(64, EXPONENTIALS)
            .gradient(0)
            .refuses("a label smoothing in [0, 1)", () -> new SoftmaxCrossEntropy(1, false), real())
            .refuses(
                "expected class weights (13)", () -> WEIGHTED, real(7, 13), labels(13, 7), real(7))
            .refuses("expected targets (7, 13), found f32 (13, 7)", real(7, 13), real(13, 7))
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
            .on(
                new SoftmaxCrossEntropy.Backward(0.1, false),
                real(128, 1000),
                labels(1000, 128),
                real())
            .on(real(7, 13), distributions(7, 13), real())
            .values(real(5, 4), real(Fill.cycle(-1, 0, 0, 0, 0, 0.5, 0.5, 0), 5, 4), real())
            .refuses(
                "a label smoothing in [0, 1)",
                () -> new SoftmaxCrossEntropy.Backward(-0.1, false),
                real())
            .ulps(64, EXPONENTIALS)
            .gradient(0, 2)
            .refuses("expected dloss (), found f32 (1)", real(7, 13), labels(13, 7), real(1))
            .refuses("expected labels (7), found i32 (8)", real(7, 13), labels(13, 8), real())
            .refuses("dtypes differ", real(7, 13), labels(13, 7), typed(DType.F64, Fill.NORMAL)),
        OpRow.of(new SoftmaxCrossEntropy.Backward(0, true))
            .on(real(7, 13), labels(13, 7), real(Fill.POSITIVE, 13), real())
            .on(
                new SoftmaxCrossEntropy.Backward(0.1, true),
                real(30, 33),
                labels(33, 30),
                real(Fill.POSITIVE, 33),
                real())
            .on(
                new SoftmaxCrossEntropy.Backward(0.1, true),
                real(64, 1000),
                distributions(64, 1000),
                real(Fill.POSITIVE, 1000),
                real())
            .values(real(4, 3), labels(3, 4), real(Fill.constant(0), 3), real())
            .ulps(64, EXPONENTIALS)
            .gradient(0, 3)
            .refuses(
                "expected class weights (13), found f32 (7)",
                real(7, 13),
                labels(13, 7),
                real(7),
                real()),
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
            .on(
                new SoftmaxCrossEntropy.Training(0.1, false),
                real(128, 1000),
                labels(1000, 128),
                real())
            .on(
                new SoftmaxCrossEntropy.Training(0, true),
                real(7, 13),
                labels(13, 7),
                real(Fill.POSITIVE, 13),
                real())
            .on(real(7, 13), distributions(7, 13), real())
            .on(
                new SoftmaxCrossEntropy.Training(0.1, true),
                real(64, 1000),
                distributions(64, 1000),
                real(Fill.POSITIVE, 1000),
                real())
            .values(
                new SoftmaxCrossEntropy.Training(0, true),
                real(4, 3),
                labels(3, 4),
                real(Fill.constant(0), 3),
                real())
            .values(real(5, 4), real(Fill.cycle(-1, 0, 0, 0, 0, 0.5, 0.5, 0), 5, 4), real())
            .refuses(
                "a label smoothing in [0, 1)",
                () -> new SoftmaxCrossEntropy.Training(-0.1, false),
                real())
            .ulps(64, EXPONENTIALS)
            .refuses("expected dloss (), found f32 (1)", real(7, 13), labels(13, 7), real(1))
            .refuses("expected labels (7), found i32 (8)", real(7, 13), labels(13, 8), real())
            .refuses("expected 3 inputs, found 2", real(7, 13), labels(13, 7))
            .refuses("dtypes differ", real(7, 13), labels(13, 7), typed(DType.F64, Fill.NORMAL)));
  }

  private static OpRow oneHot(DType dtype) {
    return OpRow.of(new OneHot(5, dtype))
        .on(labels(5, 7))
        .on(typed(DType.I32, Fill.integers(-2, 7), 3, 4))
        .on(typed(DType.I32, Fill.integers(0, 4)))
        .on(labels(5, 0))
        .on(new OneHot(1000, dtype), labels(1000, 64))
        .refuses("expected labels of type I32, found f32 (7)", real(7))
        .refuses("expected 1 inputs", labels(5, 7), labels(5, 7))
        .accepts(LossRows::holdsLabels);
  }

  /// The contract of the instruction `one_hot`: any floating output with one more axis.
  private static boolean holdsLabels(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    TensorType y = outputs.getFirst();
    TensorType labels = inputs.getFirst();
    return y.dtype().isFloating()
        && labels.dtype() == DType.I32
        && y.shape().rank() == labels.shape().rank() + 1
        && Arrays.equals(
            labels.shape().toArray(), Arrays.copyOf(y.shape().toArray(), labels.shape().rank()));
  }

  /// Positive rows; a loss asks for no more.
  private static Input distributions(long rows, long classes) {
    return real(Fill.each("shares", random -> 2.0 / classes * random.nextDouble()), rows, classes);
  }
}
