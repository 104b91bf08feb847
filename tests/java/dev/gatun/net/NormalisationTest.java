package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Scope;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Layer, group and instance normalisation: over which axes, and how they are one another.
class NormalisationTest {
  private static final double EPSILON = 1e-5;

  /// Each of the axes that a norm takes its mean and variance over, by the definition.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void norms_areTheirDefinition(Backends backend) {
    Device device = backend.device();
    int[][] cases = {{1, 6}, {2, 3}, {3, 2}, {6, 1}}; // groups, channels in each
    for (int[] one : cases) {
      try (Scope _ = Scope.open()) {
        Tensor x = Tensor.randn(device, 1, 2, 3, 4, 6).as(DType.F64);
        Tensor gamma = Tensor.randn(device, 2, 6).as(DType.F64);
        Tensor beta = Tensor.randn(device, 3, 6).as(DType.F64);
        Tensor grouped = x.reshape(2, 12, one[0], one[1]);
        Tensor mean = grouped.mean(1, 3).reshape(2, 1, one[0], 1);
        Tensor centred = grouped.minus(mean);
        Tensor variance = centred.square().mean(1, 3).reshape(2, 1, one[0], 1);
        Tensor expected =
            centred.div(variance.plus(EPSILON).sqrt()).reshape(2, 3, 4, 6).times(gamma).plus(beta);
        Tensor found = x.groupNorm(one[0], gamma, beta, EPSILON);
        assertArrayEquals(expected.toDoubleArray(), found.toDoubleArray(), 1e-12);
      }
    }
  }

  /// One group is layer norm over all of a picture, as many as channels are instance norm; values
  /// and gradients.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void groups_areLayerAndInstanceNorm(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 1, 2, 3, 4, 6);
      Tensor ones = Tensor.full(device, DType.F32, 1, 6);
      Tensor zeros = Tensor.zeros(device, DType.F32, 6);
      Tensor allOnes = Tensor.full(device, DType.F32, 1, 72);
      Tensor allZeros = Tensor.zeros(device, DType.F32, 72);
      same(
          in -> in[0].groupNorm(1, ones, zeros, EPSILON),
          in -> in[0].reshape(2, 72).layerNorm(allOnes, allZeros, EPSILON).reshape(2, 3, 4, 6),
          x);
      // A channel of a picture is a row of the picture with its channels in front.
      Tensor places = Tensor.full(device, DType.F32, 1, 12);
      Tensor noShift = Tensor.zeros(device, DType.F32, 12);
      same(
          in -> in[0].instanceNorm(ones, zeros, EPSILON),
          in ->
              in[0]
                  .reshape(2, 12, 6)
                  .permute(0, 2, 1)
                  .layerNorm(places, noShift, EPSILON)
                  .permute(0, 2, 1)
                  .reshape(2, 3, 4, 6),
          x);
    }
  }

  /// They do the same in training and in inference, and have no state.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void norms_knowNoMode(Backends backend) {
    List<Net> nets =
        List.of(
            Net.input(2, 2, 4).groupNorm(2),
            Net.input(2, 2, 4).instanceNorm(),
            Net.input(2, 2, 4).layerNorm(),
            Net.input(2, 2, 4).rmsNorm());
    float[] x = new float[16];
    for (int i = 0; i < 16; i++) {
      x[i] = (float) Math.sin(i);
    }
    for (Net net : nets) {
      try (Trainer trainer =
          Trainer.of(net)
              .on(backend.device())
              .loss((outputs, targets) -> outputs.times(targets).sum())) {
        Model model = trainer.model();
        assertEquals(List.of(), model.stateNames());
        float[] y = model.predict(x);
        for (int i = 0; i < 16; i += 5) {
          float[] pick = new float[16];
          pick[i] = 1;
          assertEquals(y[i], trainer.step(x, pick, 0), 1e-6);
        }
      }
    }
  }

  /// In bf16 parameters stay f32, and results are those of f32 rounded.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void layerNorm_worksOnBf16(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 1, 5, 33).as(DType.BF16);
      Tensor gamma = Tensor.randn(device, 2, 33);
      Tensor beta = Tensor.randn(device, 3, 33);
      Tensor y = x.layerNorm(gamma, beta, EPSILON);
      assertEquals(DType.BF16, y.dtype());
      float[] expected = x.as(DType.F32).layerNorm(gamma, beta, EPSILON).toFloatArray();
      float[] found = y.as(DType.F32).toFloatArray();
      for (int i = 0; i < found.length; i++) {
        assertEquals(expected[i], found[i], Math.abs(expected[i]) / 128 + 1e-6);
      }
    }
  }

  @Test
  void whatHasNoVariance_isRefused() {
    assertEquals(
        "instanceNorm0: [groupNorm] a group's variance needs at least 2 values, found 1 in f32 (2,"
            + " 1, 1, 4)",
        assertThrows(ShapeException.class, () -> Net.input(1, 1, 4).instanceNorm()).getMessage());
    assertEquals(
        "groupNorm0: [groupNorm] expected [N, ..., C] with 3 groups of channels, found f32 (2, 2,"
            + " 2, 4)",
        assertThrows(ShapeException.class, () -> Net.input(2, 2, 4).groupNorm(3)).getMessage());
  }

  /// A normalised net trains with any of them.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void norms_train(Backends backend) {
    float[] x = new float[6 * 2 * 2 * 4];
    int[] labels = new int[6];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.sin(7 * i);
      labels[i % 6] = i % 3;
    }
    Net stem = Net.input(2, 2, 4).conv(4, 1);
    for (Net net :
        List.of(stem.groupNorm(2), stem.instanceNorm(), stem.layerNorm(), stem.rmsNorm())) {
      try (Trainer trainer =
          Trainer.of(net.relu().flatten().dense(3))
              .on(backend.device())
              .loss(Loss.softmaxCrossEntropy())) {
        double first = trainer.step(x, labels, 0.1);
        double last = first;
        for (int i = 0; i < 40; i++) {
          last = trainer.step(x, labels, 0.1);
        }
        assertEquals(0, last, 0.2 * first);
      }
    }
  }

  private static void same(TensorFunction one, TensorFunction other, Tensor x) {
    assertArrayEquals(one.apply(x).toFloatArray(), other.apply(x).toFloatArray(), 1e-6f);
    Tensor weights = x.times(x).times(x).plus(0.5);
    assertArrayEquals(
        Functions.grad(in -> one.apply(in).times(weights).sum()).apply(x).getFirst().toFloatArray(),
        Functions.grad(in -> other.apply(in).times(weights).sum())
            .apply(x)
            .getFirst()
            .toFloatArray(),
        1e-5f);
  }
}
