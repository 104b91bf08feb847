package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.backend.Bf16;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Training with BF16 activations and products, and with products in TF32.
class PrecisionTest {
  private static final int SIDE = 12;

  /// Every kind of layer, odd sizes included.
  private static final Net NET =
      Net.input(SIDE, SIDE, 3)
          .conv(9, 3)
          .batchNorm()
          .relu()
          .residual(branch -> branch.conv(9, 3).batchNorm().relu().dropout(0.1))
          .maxPool(2)
          .flatten()
          .dense(15)
          .relu()
          .dense(Pictures.CLASSES);

  @Test
  void losses_areTheSameForEveryNumberOfThreads() {
    Backends.requireNative();
    float[][] losses = new float[3][];
    for (int threads = 1; threads <= 3; threads++) {
      try (Device device = Device.cpu(threads);
          Trainer trainer = trainer(NET, device, Precision.BF16)) {
        losses[threads - 1] = train(trainer);
      }
    }
    assertArrayEquals(losses[0], losses[1]);
    assertArrayEquals(losses[0], losses[2]);
  }

  /// Backends round the same numbers, but for ties that f32 and f64 sums break differently.
  @Test
  void losses_agreeWithTheReference() {
    float[] images = Pictures.normal(4 * 3072, 1);
    int[] labels = {3, 1, 4, 1};
    float[][] losses = new float[2][8];
    Device[] devices = {Backends.REFERENCE.device(), Backends.CPU.device()};
    for (int i = 0; i < 2; i++) {
      try (Trainer trainer = trainer(ResNet.cifar(8, 10), devices[i], Precision.BF16)) {
        for (int step = 0; step < 8; step++) {
          losses[i][step] = trainer.step(images, labels, 0.002);
        }
      }
    }
    assertEquals(losses[0][0], losses[1][0], 4e-3 * losses[0][0]);
    for (int step = 0; step < 8; step++) {
      assertEquals(losses[0][step], losses[1][step], 2e-2 * losses[0][0], "step " + step);
    }
    assertTrue(losses[1][7] < 0.8 * losses[1][0], "it learns: " + Arrays.toString(losses[1]));
  }

  /// The CPU has no units for it.
  @Test
  void tf32_isF32OnTheCpu() {
    float[][] losses = new float[2][];
    Precision[] both = {Precision.F32, Precision.TF32};
    for (int i = 0; i < 2; i++) {
      try (Trainer trainer = trainer(NET, Backends.CPU.device(), both[i])) {
        losses[i] = train(trainer);
      }
    }
    assertArrayEquals(losses[0], losses[1]);
  }

  /// On CUDA factors are rounded to 11 bits: losses part, by about a thousandth.
  @Test
  void tf32_onCuda_followsF32() {
    Backends.requireNative();
    Net net = Net.input(6, 6, 4).conv(8, 3).relu().flatten().dense(Pictures.CLASSES);
    float[] images = Pictures.normal(4 * 6 * 6 * 4, 1);
    int[] labels = Pictures.labels(4, Pictures.CLASSES, 2);
    float[][] losses = new float[2][5];
    Precision[] both = {Precision.F32, Precision.TF32};
    try (Device cuda = Device.cuda(0)) {
      for (int i = 0; i < 2; i++) {
        try (Trainer trainer = trainer(net, cuda, both[i])) {
          for (int step = 0; step < losses[i].length; step++) {
            losses[i][step] = trainer.step(images, labels, 0.05);
          }
        }
      }
    }
    assertFalse(Arrays.equals(losses[0], losses[1]), "TF32 rounds");
    for (int step = 0; step < losses[0].length; step++) {
      assertEquals(losses[0][step], losses[1][step], 0x1p-9 * losses[0][0], "step " + step);
    }
    assertTrue(losses[1][4] < 0.9 * losses[1][0], "it learns: " + Arrays.toString(losses[1]));
  }

  /// 8 bits of precision: losses part by about a hundredth, and the nets are as good.
  @Test
  void bf16_learnsAsF32Does() {
    Dataset test = Pictures.noisy(200, new ImageShape(SIDE, SIDE, 3), 1, 2);
    double[] accuracy = new double[2];
    float[][] losses = new float[2][];
    Precision[] both = {Precision.F32, Precision.BF16};
    for (int i = 0; i < 2; i++) {
      try (Trainer trainer = trainer(NET, Backends.CPU.device(), both[i])) {
        losses[i] = train(trainer);
        accuracy[i] = trainer.evaluate(test.batch(20)).accuracy();
      }
    }
    assertFalse(Arrays.equals(losses[0], losses[1]), "BF16 rounds");
    assertEquals(losses[0][0], losses[1][0], 2e-2 * losses[0][0], "before the first step");
    double last = tail(losses[0]);
    assertTrue(last < 0.5 * losses[0][0], "f32 learns: " + last);
    assertEquals(last, tail(losses[1]), 0.05 * losses[0][0], "the last losses");
    assertEquals(accuracy[0], accuracy[1], 0.05);
  }

  /// Layers that are composed, or drop things at random, follow f32 too; they drop the same.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void formsOfPoolingAndDropout_followF32(Backends backend) {
    Net net =
        Net.input(SIDE, SIDE, 3)
            .convTransposed(4, 2, 2)
            .relu()
            .spatialDropout(0.2)
            .fractionalMaxPool(0.7)
            .residual(branch -> branch.conv(4, 3).stochasticDepth(0.3))
            .adaptiveAveragePool(3, 5)
            .adaptiveMaxPool(2, 2)
            .flatten()
            .dropConnect(12, 0.2)
            .relu()
            .dense(Pictures.CLASSES);
    float[] images = Pictures.normal(6 * SIDE * SIDE * 3, 1);
    int[] labels = Pictures.labels(6, Pictures.CLASSES, 2);
    try (Trainer exact = trainer(net, backend.device(), Precision.F32);
        Trainer rounded = trainer(net, backend.device(), Precision.BF16)) {
      for (int step = 0; step < 6; step++) {
        float expected = exact.step(images, labels, 0.01);
        assertEquals(expected, rounded.step(images, labels, 0.01), 0.03 * expected);
      }
    }
  }

  /// A step far below the resolution of BF16 moves the weights, which a step in BF16 could not.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void parameters_stayF32(Backends backend) {
    Net net = Net.input(4, 4, 1).conv(3, 3).flatten().dense(Pictures.CLASSES);
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.sgd(1))
            .precision(Precision.BF16)) {
      float[] before = trainer.model().read("dense0.weight");
      trainer.step(Pictures.normal(2 * 16, 1), new int[] {0, 1}, 1e-5);
      float[] after = trainer.model().read("dense0.weight");
      int moved = 0;
      for (int i = 0; i < before.length; i++) {
        moved += before[i] != after[i] && Bf16.of(before[i]) == Bf16.of(after[i]) ? 1 : 0;
      }
      assertTrue(moved > before.length / 2, moved + " of " + before.length);
    }
  }

  @Test
  void precision_isFixedOnceThereIsAModel() {
    try (Trainer trainer = Trainer.of(NET).on(Backends.REFERENCE.device())) {
      assertNotEquals(0, trainer.model().parameterNames().size());
      IllegalStateException refused =
          assertThrows(IllegalStateException.class, () -> trainer.precision(Precision.BF16));
      assertTrue(Objects.requireNonNull(refused.getMessage()).contains("configur"));
    }
  }

  private static Trainer trainer(Net net, Device device, Precision precision) {
    return Trainer.of(net)
        .on(device)
        .optimizer(Optimizer.sgd(0.02).momentum(0.9).weightDecay(1e-4))
        .clipNorm(5)
        .precision(precision)
        .seed(7);
  }

  private static float[] train(Trainer trainer) {
    Dataset train = Pictures.noisy(320, new ImageShape(SIDE, SIDE, 3), 1, 1);
    return trainer.fit(train.batch(16), Span.epochs(3)).losses();
  }

  private static double tail(float[] losses) {
    double sum = 0;
    for (int i = losses.length - 10; i < losses.length; i++) {
      sum += losses[i] / 10;
    }
    return sum;
  }
}
