package dev.gatun.spec;

import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.POSITIVE;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;
import static dev.gatun.spec.Input.wide;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.GroupNorm;
import dev.gatun.graph.op.LayerNorm;
import java.util.ArrayList;
import java.util.List;

/// Batch, layer, RMS and group normalisation.
final class NormalisationRows {
  private static final String SUMS =
      "means of up to 8,192 values in f32, whose error the inverse standard deviation carries on";
  private static final Fill OFF_CENTRE =
      Fill.each("off-centre", random -> 30 + random.nextGaussian());

  private NormalisationRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(training(false, Activation.NONE))
            .on(training(NORMAL, false, 2, 5, 7, 11))
            .on(training(NORMAL, false, 13, 3))
            .on(training(NORMAL, false, 2, 1, 1, 1))
            .on(training(NORMAL, false, 8, 32, 32, 16))
            .on(training(OFF_CENTRE, false, 4, 7, 5, 3))
            .on(training(false, Activation.RELU), training(NORMAL, false, 3, 5, 2, 7))
            .on(training(true, Activation.NONE), training(NORMAL, true, 3, 5, 2, 7))
            .on(training(true, Activation.RELU), training(NORMAL, true, 3, 5, 2, 7))
            .on(training(true, Activation.RELU), training(NORMAL, true, 8, 32, 32, 16))
            .on(
                new BatchNormTraining(1, 1e-3, false, Activation.NONE),
                training(NORMAL, false, 7, 13))
            .ulps(256, SUMS)
            .bf16(1)
            .gradient(0, 1, 2, 5)
            .alsoInPlace(3, 3)
            .alsoInPlace(4, 4)
            .refuses("expected x [...,C], found f32 (3)", training(NORMAL, false, 3))
            .refuses(
                "needs at least 2 values per channel, found 1 in f32 (1, 3)",
                training(NORMAL, false, 1, 3))
            .refuses("found 0 in f32 (0, 3)", training(NORMAL, false, 0, 3))
            .refuses(
                "expected one value per channel (3), found f32 (4)",
                real(5, 3),
                real(3),
                real(3),
                real(4),
                real(POSITIVE, 3))
            .refuses(
                "expected residual (5, 3), found f32 (5, 4)",
                () -> training(true, Activation.NONE),
                real(5, 3),
                real(3),
                real(3),
                real(3),
                real(POSITIVE, 3),
                real(5, 4))
            .refuses(
                "dtypes differ",
                real(5, 3),
                typed(DType.F64, NORMAL, 3),
                real(3),
                real(3),
                real(POSITIVE, 3))
            .refuses("expected 5 inputs, found 4", real(5, 3), real(3), real(3), real(3))
            .refuses(
                "expected a finite epsilon of at least 0, found NaN",
                () -> new BatchNormTraining(0.1, Double.NaN, false, Activation.NONE),
                training(NORMAL, false, 5, 3))
            .refuses(
                "expected a momentum in [0, 1], found 1.5",
                () -> new BatchNormTraining(1.5, 1e-5, false, Activation.NONE),
                training(NORMAL, false, 5, 3)),
        OpRow.of(training(false, Activation.NONE).withMoments())
            .on(given(false, 2, 5, 7, 11))
            .on(given(false, 8, 32, 32, 16))
            .on(training(true, Activation.RELU).withMoments(), given(true, 3, 5, 2, 7))
            .ulps(256, SUMS)
            .alsoInPlace(3, 3)
            .alsoInPlace(4, 4)
            .refuses(
                "expected moments (2, 3), found f32 (3)",
                real(5, 3),
                real(3),
                real(3),
                real(3),
                real(POSITIVE, 3),
                real(3)),
        OpRow.of(new BatchNormTraining.Backward(false, Activation.NONE).withSums())
            .on(summed(false, 2, 5, 7, 11))
            .on(summed(false, 8, 32, 32, 16))
            .on(
                new BatchNormTraining.Backward(true, Activation.RELU).withSums(),
                summed(true, 3, 5, 2, 7))
            .ulps(256, SUMS)
            .alsoInPlace(0, 0)
            .alsoInPlace(3, 0)
            .refuses(
                "expected sums (2, 3), found f32 (2, 2)",
                real(5, 3),
                real(5, 3),
                real(3),
                real(POSITIVE, 3),
                real(3),
                real(2, 2)),
        OpRow.of(new BatchNormTraining.Backward(false, Activation.NONE))
            .on(backward(false, 2, 5, 7, 11))
            .on(backward(false, 13, 3))
            .on(backward(false, 2, 1, 1, 1))
            .on(backward(false, 8, 32, 32, 16))
            .on(new BatchNormTraining.Backward(false, Activation.RELU), backward(true, 3, 5, 2, 7))
            .on(new BatchNormTraining.Backward(true, Activation.NONE), backward(false, 3, 5, 2, 7))
            .on(new BatchNormTraining.Backward(true, Activation.RELU), backward(true, 3, 5, 2, 7))
            .on(
                new BatchNormTraining.Backward(true, Activation.RELU),
                backward(true, 8, 32, 32, 16))
            .ulps(256, SUMS)
            .bf16(1)
            .alsoInPlace(0, 0)
            .alsoInPlace(3, 0)
            .refuses(
                "expected x (5, 3), found f32 (4, 3)",
                real(5, 3),
                real(4, 3),
                real(3),
                real(POSITIVE, 3),
                real(3))
            .refuses(
                "expected one value per channel (3), found f32 (2)",
                real(5, 3),
                real(5, 3),
                real(3),
                real(POSITIVE, 2),
                real(3))
            .refuses(
                "expected y (5, 3), found f32 (5, 2)",
                () -> new BatchNormTraining.Backward(false, Activation.RELU),
                real(5, 3),
                real(5, 3),
                real(3),
                real(POSITIVE, 3),
                real(3),
                real(5, 2))
            .refuses("expected 5 inputs, found 6", backward(true, 5, 3)),
        OpRow.of(inference(false, Activation.NONE))
            .on(training(NORMAL, false, 2, 5, 7, 11))
            .on(training(NORMAL, false, 13, 3))
            .on(training(NORMAL, false, 1, 1))
            .on(training(NORMAL, false, 0, 3))
            .on(training(NORMAL, false, 8, 32, 32, 16))
            .on(inference(false, Activation.RELU), training(NORMAL, false, 3, 5, 2, 7))
            .on(inference(true, Activation.NONE), training(NORMAL, true, 3, 5, 2, 7))
            .on(inference(true, Activation.RELU), training(NORMAL, true, 3, 5, 2, 7))
            .ulps(16, "a square root, a division and two products, in scale and shift form")
            .bf16(1)
            .gradient(0, 1, 2, 5)
            .refuses("expected x [...,C], found f32 (3)", training(NORMAL, false, 3))
            .refuses(
                "expected one value per channel (3), found f32 (2)",
                real(5, 3),
                real(3),
                real(3),
                real(3),
                real(POSITIVE, 2))
            .refuses(
                "expected residual (5, 3), found f32 (4, 3)",
                () -> inference(true, Activation.NONE),
                real(5, 3),
                real(3),
                real(3),
                real(3),
                real(POSITIVE, 3),
                real(4, 3))
            .refuses(
                "expected a finite epsilon of at least 0, found -1.0",
                () -> new BatchNormInference(-1, false, Activation.NONE),
                training(NORMAL, false, 5, 3)),
        OpRow.of(new LayerNorm(1e-5, true, true, true))
            .on(real(7, 13), wide(NORMAL, 13), wide(NORMAL, 13))
            .on(real(5, 1), wide(NORMAL, 1), wide(NORMAL, 1))
            .on(real(2, 3, 64), wide(NORMAL, 64), wide(NORMAL, 64))
            .on(real(0, 5), wide(NORMAL, 5), wide(NORMAL, 5))
            .on(real(OFF_CENTRE, 4, 100), wide(NORMAL, 100), wide(NORMAL, 100))
            .on(real(300, 1000), wide(NORMAL, 1000), wide(NORMAL, 1000))
            .on(new LayerNorm(1e-5, true, false, false), real(7, 13))
            .on(new LayerNorm(1e-5, true, false, true), real(7, 13), wide(NORMAL, 13))
            .on(new LayerNorm(1e-3, false, true, false), real(3, 5, 17), wide(NORMAL, 17))
            .on(new LayerNorm(1e-3, false, false, false), real(31))
            .ulps(256, SUMS)
            .bf16(1)
            .gradient()
            .alsoInPlace(0, 0)
            .refuses("expected 3 inputs, found 1", real(5, 3))
            .refuses(
                "expected one value per channel (3), found f32 (5)", real(5, 3), real(5), real(3))
            .refuses(
                "expected rows of at least one value, found f32 (5, 0)",
                real(5, 0),
                real(0),
                real(0))
            .refuses("dtypes differ", real(5, 3), real(3), typed(DType.F64, NORMAL, 3))
            .refuses(
                "expected a finite epsilon of at least 0, found -1.0",
                () -> new LayerNorm(-1, true, false, false),
                real(5, 3)),
        OpRow.of(new LayerNorm.Backward(true, true, true))
            .on(layerBackward(true, true, 7, 13))
            .on(layerBackward(true, true, 0, 5))
            .on(layerBackward(true, true, 300, 100))
            .on(layerBackward(true, true, 2, 3, 64))
            .on(new LayerNorm.Backward(true, false, true), layerBackward(true, false, 7, 13))
            .on(new LayerNorm.Backward(false, true, false), layerBackward(false, true, 5, 17))
            .on(new LayerNorm.Backward(false, false, false), layerBackward(false, false, 31))
            .ulps(256, SUMS)
            .bf16(1)
            .refuses(
                "expected one value per row (5, 1), found f32 (5)",
                real(5, 3),
                real(5, 3),
                real(5),
                real(5, 1),
                real(3))
            .refuses(
                "expected x (5, 3), found f32 (5, 4)",
                real(5, 3),
                real(5, 4),
                real(5, 1),
                real(5, 1),
                real(3))
            .refuses("expected 5 inputs, found 2", real(5, 3), real(5, 3)),
        OpRow.of(new GroupNorm(2, 1e-5))
            .on(real(2, 3, 5, 6), wide(NORMAL, 6), wide(NORMAL, 6))
            .on(real(3, 4), wide(NORMAL, 4), wide(NORMAL, 4))
            .on(real(0, 3, 4), wide(NORMAL, 4), wide(NORMAL, 4))
            .on(real(OFF_CENTRE, 2, 7, 5, 34), wide(NORMAL, 34), wide(NORMAL, 34))
            .on(new GroupNorm(1, 1e-3), real(2, 70, 3, 5), wide(NORMAL, 5), wide(NORMAL, 5))
            .on(new GroupNorm(5, 1e-5), real(3, 13, 11, 5), wide(NORMAL, 5), wide(NORMAL, 5))
            .on(new GroupNorm(8, 1e-5), real(4, 32, 32, 64), wide(NORMAL, 64), wide(NORMAL, 64))
            .ulps(256, SUMS)
            .bf16(1)
            .gradient()
            .alsoInPlace(0, 0)
            .refuses("expected 3 inputs, found 1", real(5, 4))
            .refuses("with 2 groups of channels, found f32 (5, 3)", real(5, 3), real(3), real(3))
            .refuses("with 2 groups of channels, found f32 (4)", real(4), real(4), real(4))
            .refuses("expected groups of at least one value", real(2, 0, 4), real(4), real(4))
            .refuses(
                "expected one value per channel (4), found f32 (5)", real(2, 4), real(5), real(4))
            .refuses("expected at least 1 group, found 0", () -> new GroupNorm(0, 1e-5), real(2, 4))
            .refuses(
                "expected a finite epsilon of at least 0, found -1.0",
                () -> new GroupNorm(2, -1),
                real(2, 4)),
        OpRow.of(new GroupNorm.Backward(2))
            .on(groupBackward(2, 2, 3, 5, 6))
            .on(groupBackward(2, 3, 4))
            .on(groupBackward(2, 0, 3, 4))
            .on(new GroupNorm.Backward(1), groupBackward(1, 2, 70, 3, 5))
            .on(new GroupNorm.Backward(34), groupBackward(34, 3, 13, 34))
            .on(new GroupNorm.Backward(8), groupBackward(8, 4, 32, 32, 64))
            .ulps(256, SUMS)
            .bf16(1)
            .refuses(
                "expected one value per group (5, 2), found f32 (5, 1)",
                real(5, 4),
                real(5, 4),
                real(5, 1),
                real(5, 2),
                real(4))
            .refuses("expected 5 inputs, found 2", real(5, 4), real(5, 4))
            .refuses(
                "expected at least 1 group, found 0", () -> new GroupNorm.Backward(0), real(2, 4)));
  }

  private static BatchNormTraining training(boolean residual, Activation activation) {
    return new BatchNormTraining(0.1, 1e-5, residual, activation);
  }

  private static BatchNormInference inference(boolean residual, Activation activation) {
    return new BatchNormInference(1e-5, residual, activation);
  }

  /// x [...,C], gamma, beta, running mean, running variance [C], residual [...,C].
  static Input[] training(Fill x, boolean residual, long... dims) {
    long channels = dims[dims.length - 1];
    List<Input> inputs =
        new ArrayList<>(
            List.of(
                real(x, dims),
                wide(NORMAL, channels),
                wide(NORMAL, channels),
                wide(NORMAL, channels),
                wide(POSITIVE, channels)));
    if (residual) {
      inputs.add(real(dims));
    }
    return inputs.toArray(Input[]::new);
  }

  /// The same with moments [2,C].
  private static Input[] given(boolean residual, long... dims) {
    return and(training(NORMAL, residual, dims), real(POSITIVE, 2, dims[dims.length - 1]));
  }

  /// The same as [#backward] with sums [2,C].
  private static Input[] summed(boolean gated, long... dims) {
    return and(backward(gated, dims), real(2, dims[dims.length - 1]));
  }

  private static Input[] and(Input[] inputs, Input last) {
    List<Input> all = new ArrayList<>(List.of(inputs));
    all.add(last);
    return all.toArray(Input[]::new);
  }

  /// dy, x [...,C], mean, inverse standard deviation, gamma [C], y [...,C].
  static Input[] backward(boolean gated, long... dims) {
    long channels = dims[dims.length - 1];
    List<Input> inputs =
        new ArrayList<>(
            List.of(
                real(dims),
                real(dims),
                wide(NORMAL, channels),
                wide(POSITIVE, channels),
                wide(NORMAL, channels)));
    if (gated) {
      inputs.add(real(TIES, dims));
    }
    return inputs.toArray(Input[]::new);
  }

  /// dy, x [...,C], inverse standard deviation, mean [...,1], gamma [C].
  static Input[] layerBackward(boolean centered, boolean scaled, long... dims) {
    long[] row = dims.clone();
    row[row.length - 1] = 1;
    List<Input> inputs = new ArrayList<>(List.of(real(dims), real(dims), wide(POSITIVE, row)));
    if (centered) {
      inputs.add(wide(NORMAL, row));
    }
    if (scaled) {
      inputs.add(wide(NORMAL, dims[dims.length - 1]));
    }
    return inputs.toArray(Input[]::new);
  }

  /// dy, x [N,...,C], mean, inverse standard deviation [N,groups], gamma [C].
  static Input[] groupBackward(int groups, long... dims) {
    return new Input[] {
      real(dims),
      real(dims),
      wide(NORMAL, dims[0], groups),
      wide(POSITIVE, dims[0], groups),
      wide(NORMAL, dims[dims.length - 1])
    };
  }
}
