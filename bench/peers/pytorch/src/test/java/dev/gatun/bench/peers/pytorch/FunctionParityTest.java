package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Comparison.DEVICE;
import static dev.gatun.bench.peers.pytorch.Comparison.compare;
import static dev.gatun.bench.peers.pytorch.Comparison.test;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.gatun.Functions.TensorFunction;
import dev.gatun.Loss;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.pytorch.Comparison.Other;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Activations, normalisations and losses are PyTorch's: values and gradients.
class FunctionParityTest {
  private static final int ROWS = 37;
  private static final int CLASSES = 29;
  private static final int IGNORED = 5;
  private static final long[] MATRIX = {ROWS, CLASSES};
  private static final long[] VECTOR = {CLASSES};
  private static final long[] PICTURES = {3, 5, 7, 12};
  private static final long[] CHANNELS = {12};
  private static final TensorOptional NONE = new TensorOptional();
  private static final long MEAN = torch.Reduction.Mean.value;

  @TestFactory
  Stream<DynamicTest> activations() {
    return Stream.of(
        map("relu", in -> in[0].relu(), in -> in[0].relu()),
        map("sigmoid", in -> in[0].sigmoid(), in -> in[0].sigmoid()),
        map("tanh", in -> in[0].tanh(), in -> in[0].tanh()),
        map("leakyRelu", in -> in[0].leakyRelu(), in -> torch.leaky_relu(in[0])),
        map(
            "leakyRelu 0.1",
            in -> in[0].leakyRelu(0.1),
            in -> torch.leaky_relu(in[0], new Scalar(0.1))),
        map("elu", in -> in[0].elu(), in -> torch.elu(in[0])),
        map(
            "elu 1.5",
            in -> in[0].elu(1.5),
            in -> torch.elu(in[0], new Scalar(1.5), new Scalar(1.0), new Scalar(1.0))),
        map("selu", in -> in[0].selu(), in -> torch.selu(in[0])),
        map("gelu", in -> in[0].gelu(), in -> torch.gelu(in[0])),
        map("geluTanh", in -> in[0].geluTanh(), in -> torch.gelu(in[0], "tanh")),
        map("silu", in -> in[0].silu(), in -> torch.silu(in[0])),
        map("softplus", in -> in[0].softplus(), in -> torch.softplus(in[0])),
        map("softmax", in -> in[0].softmax(), in -> torch.softmax(in[0], -1)),
        map("logSoftmax", in -> in[0].logSoftmax(), in -> torch.log_softmax(in[0], -1)),
        test(
            "prelu shared",
            in -> in[0].prelu(in[1]).square().sum(),
            in -> torch.prelu(in[0], in[1]).square().sum(),
            MATRIX,
            new long[] {1}),
        test(
            "prelu per channel",
            in -> in[0].prelu(in[1]).square().sum(),
            in -> torch.prelu(in[0], in[1]).square().sum(),
            MATRIX,
            VECTOR));
  }

  @TestFactory
  Stream<DynamicTest> normalisations() {
    return Stream.of(
        test(
            "layerNorm",
            in -> weighted(in[0].layerNorm(in[1], in[2], 1e-5), in[3]),
            in ->
                torch
                    .layer_norm(in[0], VECTOR, some(in[1]), some(in[2]), 1e-5, false)
                    .mul(in[3])
                    .sum(),
            MATRIX,
            VECTOR,
            VECTOR,
            MATRIX),
        test(
            "rmsNorm",
            in -> weighted(in[0].rmsNorm(in[1], 1e-5), in[2]),
            in ->
                torch
                    .rms_norm(in[0], VECTOR, some(in[1]), new DoubleOptional(1e-5))
                    .mul(in[2])
                    .sum(),
            MATRIX,
            VECTOR,
            MATRIX),
        groups(1),
        groups(3),
        groups(12),
        test(
            "instanceNorm",
            in -> weighted(in[0].instanceNorm(in[1], in[2], 1e-5), in[3]),
            in ->
                torch
                    .instance_norm(
                        Tensors.channelsSecond(in[0]),
                        some(in[1]),
                        some(in[2]),
                        NONE,
                        NONE,
                        true,
                        0.1,
                        1e-5,
                        false)
                    .mul(Tensors.channelsSecond(in[3]))
                    .sum(),
            PICTURES,
            CHANNELS,
            CHANNELS,
            PICTURES));
  }

  @TestFactory
  Stream<DynamicTest> losses() {
    List<DynamicTest> tests = new ArrayList<>();
    for (double smoothing : new double[] {0, 0.1}) {
      for (boolean weights : new boolean[] {false, true}) {
        String what = ", smoothing " + smoothing + (weights ? ", weighted" : "");
        tests.add(labels(what, smoothing, weights));
        tests.add(distributions(what, smoothing, weights));
      }
    }
    tests.add(
        values(
            "binaryCrossEntropy",
            Loss.binaryCrossEntropy(),
            in -> torch.binary_cross_entropy_with_logits(in[0], in[1])));
    tests.add(
        values(
            "binaryCrossEntropy, positive weight 3",
            Loss.binaryCrossEntropy(3),
            in ->
                torch.binary_cross_entropy_with_logits(
                    in[0], in[1], NONE, some(torch.full(new long[] {1}, new Scalar(3.0))), MEAN)));
    tests.add(
        values("meanSquaredError", Loss.meanSquaredError(), in -> torch.mse_loss(in[0], in[1])));
    tests.add(
        values("meanAbsoluteError", Loss.meanAbsoluteError(), in -> torch.l1_loss(in[0], in[1])));
    tests.add(values("huber", Loss.huber(0.3), in -> torch.huber_loss(in[0], in[1], MEAN, 0.3)));
    tests.add(
        values(
            "klDivergence",
            Loss.klDivergence(),
            in -> // the mean over rows
            torch.kl_div(torch.log_softmax(in[0], -1), in[1]).mul(new Scalar((double) CLASSES))));
    tests.add(
        dynamicTest(
            "hinge",
            () ->
                compare(
                    in -> Loss.hinge().apply(in[0], ownLabels(false)),
                    in -> // PyTorch divides by the number of classes
                    torch
                            .multi_margin_loss(in[0], Tensors.labels(ROWS, CLASSES))
                            .mul(new Scalar((double) CLASSES)),
                    MATRIX)));
    return tests.stream();
  }

  private static DynamicTest labels(String what, double smoothing, boolean weighted) {
    return dynamicTest(
        "cross-entropy of labels" + what,
        () ->
            compare(
                in -> own(smoothing, weighted).apply(in[0], ownLabels(true)),
                in -> {
                  Tensor labels = Tensors.labels(ROWS, CLASSES);
                  labels.select(0, IGNORED).fill_(new Scalar(-100.0));
                  return torch.cross_entropy_loss(
                      in[0], labels, others(weighted), MEAN, -100, smoothing);
                },
                MATRIX));
  }

  private static DynamicTest distributions(String what, double smoothing, boolean weighted) {
    return dynamicTest(
        "cross-entropy of distributions" + what,
        () ->
            compare(
                in ->
                    own(smoothing, weighted)
                        .apply(in[0], dev.gatun.Tensor.of(DEVICE, shares(), MATRIX)),
                in ->
                    torch.cross_entropy_loss(
                        in[0],
                        Tensors.of(shares(), MATRIX),
                        others(weighted),
                        MEAN,
                        -100,
                        smoothing),
                MATRIX));
  }

  private static Loss own(double smoothing, boolean weighted) {
    return weighted
        ? Loss.softmaxCrossEntropy()
            .labelSmoothing(smoothing)
            .classWeights(dev.gatun.Tensor.of(DEVICE, weights(), VECTOR))
        : Loss.softmaxCrossEntropy().labelSmoothing(smoothing);
  }

  private static TensorOptional others(boolean weighted) {
    return weighted ? some(Tensors.of(weights(), VECTOR)) : NONE;
  }

  private static dev.gatun.Tensor ownLabels(boolean ignoring) {
    int[] labels = Values.labels(ROWS, CLASSES);
    if (ignoring) {
      labels[IGNORED] = -1;
    }
    return dev.gatun.Tensor.of(DEVICE, labels, ROWS);
  }

  private static float[] weights() {
    float[] weights = Values.uniform(CLASSES, 9);
    for (int i = 0; i < CLASSES; i++) {
      weights[i] = 1.5f + weights[i];
    }
    return weights;
  }

  /// Rows of numbers from 0 to 1 that sum to 1.
  private static float[] shares() {
    float[] values = Values.uniform((long) ROWS * CLASSES, 8);
    for (int r = 0; r < ROWS; r++) {
      float sum = 0;
      for (int c = 0; c < CLASSES; c++) {
        values[r * CLASSES + c] = c % 3 == 0 ? 0 : Math.abs(values[r * CLASSES + c]) + 0.01f;
        sum += values[r * CLASSES + c];
      }
      for (int c = 0; c < CLASSES; c++) {
        values[r * CLASSES + c] /= sum;
      }
    }
    return values;
  }

  /// A loss whose targets are shares.
  private static DynamicTest values(String name, Loss own, Other other) {
    return dynamicTest(
        name,
        () ->
            compare(
                in -> own.apply(in[0], dev.gatun.Tensor.of(DEVICE, shares(), MATRIX)),
                in -> other.apply(in[0], Tensors.of(shares(), MATRIX)),
                MATRIX));
  }

  private static DynamicTest groups(int groups) {
    return test(
        "groupNorm of " + groups,
        in -> weighted(in[0].groupNorm(groups, in[1], in[2], 1e-5), in[3]),
        in ->
            torch
                .group_norm(
                    Tensors.channelsSecond(in[0]), groups, some(in[1]), some(in[2]), 1e-5, false)
                .mul(Tensors.channelsSecond(in[3]))
                .sum(),
        PICTURES,
        CHANNELS,
        CHANNELS,
        PICTURES);
  }

  private static dev.gatun.Tensor weighted(dev.gatun.Tensor y, dev.gatun.Tensor weights) {
    return y.times(weights).sum();
  }

  private static TensorOptional some(Tensor tensor) {
    return new TensorOptional(tensor);
  }

  private static DynamicTest map(String name, TensorFunction own, Other other) {
    return test(
        name,
        in -> weighted(own.apply(in[0].times(4)), in[1]),
        in -> other.apply(in[0].mul(new Scalar(4.0))).mul(in[1]).sum(),
        MATRIX,
        MATRIX);
  }

  private static DynamicTest test(String name, TensorFunction own, Other other, long[]... shapes) {
    return dynamicTest(name, () -> compare(own, other, shapes));
  }
}
