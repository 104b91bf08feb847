package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Conv;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.Norms.EpsilonPlace;
import dev.gatun.Norms.Variance;
import dev.gatun.Optimizer;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The forms of batch normalisation that literature has.
class BatchNormFormsTest {
  private static final float[] FOUR = {1, 2, 3, 4};
  private static final Loss WEIGHTED_SUM = (outputs, weights) -> outputs.times(weights).sum();

  @ParameterizedTest
  @EnumSource(Backends.class)
  void variances_giveTheirGoldenValues(Backends backend) {
    BatchNorm plain = new BatchNorm(0.1, 0);
    assertArrayEquals(
        new double[] {-1.34164, -0.44721, 0.44721, 1.34164}, trained(backend, plain, FOUR), 1e-5);
    BatchNorm unbiased = plain.batchVariance(Variance.UNBIASED);
    double[] golden = {-1.16190, -0.38730, 0.38730, 1.16190};
    assertArrayEquals(golden, trained(backend, unbiased, FOUR), 1e-5);
    assertArrayEquals(
        golden, trained(backend, unbiased.epsilonPlace(EpsilonPlace.BESIDE_ROOT), FOUR), 1e-5);
  }

  /// A deviation of 0.001 and an epsilon of 1e-5.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void epsilonBesideTheRoot_givesLargerValues(Backends backend) {
    float[] small = {0.001f, -0.001f, 0.001f, -0.001f};
    double inRoot = trained(backend, new BatchNorm(), small)[0];
    double beside =
        trained(backend, new BatchNorm().epsilonPlace(EpsilonPlace.BESIDE_ROOT), small)[0];
    assertEquals(0.3015, inRoot, 1e-4);
    assertEquals(0.9901, beside, 1e-4);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void runningVariance_isThatOfItsForm(Backends backend) {
    for (EpsilonPlace place : EpsilonPlace.values()) {
      BatchNorm norm = new BatchNorm(0.1, 1e-5).epsilonPlace(place);
      assertEquals(0.9 + 0.1 * 5 / 3, runningVariance(backend, norm), 1e-6);
      assertEquals(
          0.9 + 0.1 * 1.25, runningVariance(backend, norm.runningVariance(Variance.BIASED)), 1e-6);
    }
  }

  /// In training too by the running estimates, which stay; gradients are those of a linear map.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void frozen_trainsOnTheRunningEstimates(Backends backend) {
    Net net = Net.input(1).batchNorm(new BatchNorm(0.1, 0).freeze());
    try (Trainer trainer =
        Trainer.of(net).on(backend.device()).loss(WEIGHTED_SUM).optimizer(Optimizer.sgd(1))) {
      Model model = trainer.model();
      model.write("batchNorm0.runningMean", new float[] {2});
      model.write("batchNorm0.runningVariance", new float[] {4});
      assertEquals(
          -0.5, trainer.step(new float[] {1}, new float[] {1}, 0), 1e-6); // one row is enough
      trainer.step(new float[] {6}, new float[] {3}, 1);
      assertArrayEquals(new float[] {1 - 3 * 2}, model.read("batchNorm0.weight"), 1e-6f);
      assertArrayEquals(new float[] {-3}, model.read("batchNorm0.bias"), 1e-6f);
      assertArrayEquals(new float[] {2}, model.read("batchNorm0.runningMean"));
      assertArrayEquals(new float[] {4}, model.read("batchNorm0.runningVariance"));
    }
  }

  /// Gradients reach what lies before a frozen norm, divided by the running deviation.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void frozen_passesGradientsOn(Backends backend) {
    Net net = Net.input(1).dense(1).batchNorm(new BatchNorm(0.1, 0).freeze());
    try (Trainer trainer =
        Trainer.of(net).on(backend.device()).loss(WEIGHTED_SUM).optimizer(Optimizer.sgd(1))) {
      trainer.model().write("batchNorm0.runningVariance", new float[] {4});
      trainer.model().write("dense0.weight", new float[] {1});
      trainer.step(new float[] {6}, new float[] {3}, 1);
      assertArrayEquals(new float[] {1 - 3 * 6 / 2f}, trainer.model().read("dense0.weight"), 1e-6f);
    }
  }

  /// gamma = deviation, beta = mean undo the normalisation.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void gammaAndBeta_canUndoIt(Backends backend) {
    float[] x = normal(64, 3);
    double mean = 0;
    double squares = 0;
    for (float value : x) {
      mean += value / 64;
    }
    for (float value : x) {
      squares += (value - mean) * (value - mean) / 64;
    }
    try (Trainer trainer =
        Trainer.of(Net.input(1).batchNorm()).on(backend.device()).loss(WEIGHTED_SUM)) {
      trainer.model().write("batchNorm0.weight", new float[] {(float) Math.sqrt(squares + 1e-5)});
      trainer.model().write("batchNorm0.bias", new float[] {(float) mean});
      for (int i = 0; i < 64; i += 9) {
        float[] pick = new float[64];
        pick[i] = 1;
        assertEquals(x[i], trainer.step(x, pick, 0), 1e-6);
      }
    }
  }

  /// Pictures are rows of channels.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void pictures_areRowsOfChannels(Backends backend) {
    float[] x = normal(2 * 3 * 4 * 5, 4);
    float[] weights = normal(x.length, 5);
    try (Trainer pictures =
            Trainer.of(Net.input(3, 4, 5).batchNorm()).on(backend.device()).loss(WEIGHTED_SUM);
        Trainer rows =
            Trainer.of(Net.input(5).batchNorm()).on(backend.device()).loss(WEIGHTED_SUM)) {
      for (int i = 0; i < 3; i++) {
        assertEquals(rows.step(x, weights, 0.1), pictures.step(x, weights, 0.1));
      }
      for (String name : rows.model().parameterNames()) {
        assertArrayEquals(rows.model().read(name), pictures.model().read(name));
      }
      for (String name : rows.model().stateNames()) {
        assertArrayEquals(rows.model().read(name), pictures.model().read(name));
      }
    }
  }

  /// After many batches of one distribution the estimates are its mean and variance.
  @Test
  void runningEstimates_findTheDistribution() {
    RandomStream random = new RandomStream(7, 0);
    try (Trainer trainer =
        Trainer.of(Net.input(1).batchNorm(new BatchNorm(0.01, 1e-5)))
            .on(Backends.CPU.device())
            .loss(WEIGHTED_SUM)) {
      float[] x = new float[512];
      for (int step = 0; step < 1000; step++) {
        for (int i = 0; i < x.length; i++) {
          x[i] = (float) (3 + 2 * random.nextGaussian());
        }
        trainer.step(x, new float[512], 0);
      }
      assertEquals(3, trainer.model().read("batchNorm0.runningMean")[0], 0.03);
      assertEquals(4, trainer.model().read("batchNorm0.runningVariance")[0], 0.04);
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void inference_changesNoState(Backends backend) {
    try (Model model = Model.of(Net.input(2).batchNorm().dense(3), backend.device(), 1)) {
      float[] before = model.read("batchNorm0.runningVariance");
      float[] first = model.predict(normal(20, 1));
      assertArrayEquals(first, model.predict(normal(20, 1)));
      assertArrayEquals(before, model.read("batchNorm0.runningVariance"));
      assertArrayEquals(new float[2], model.read("batchNorm0.runningMean"));
    }
  }

  @Test
  void oneValuePerChannel_isRefusedInEveryForm() {
    for (EpsilonPlace place : EpsilonPlace.values()) {
      Net net = Net.input(3).batchNorm(new BatchNorm().epsilonPlace(place));
      try (Trainer trainer = Trainer.of(net).on(Backends.REFERENCE.device()).loss(WEIGHTED_SUM)) {
        String message =
            String.valueOf(
                assertThrows(
                        ShapeException.class, () -> trainer.step(new float[3], new float[3], 0.1))
                    .getMessage());
        assertTrue(
            message.contains("a batch's variance needs at least 2 values per channel, found 1"),
            message);
      }
    }
  }

  /// For inference a norm goes into the dense layer or the convolution before it; the formula is
  /// applied here by hand.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void foldedNorms_areTheFormula(Backends backend) {
    Net dense = Net.input(6).dense(4).batchNorm();
    Net conv = Net.input(2, 3, 1).conv(new Conv(4, 1)).batchNorm();
    float[] x = normal(6, 1);
    for (Net net : new Net[] {dense, conv}) {
      try (Model model = Model.of(net, backend.device(), 1)) {
        String layer = net == dense ? "dense0" : "conv0";
        model.write(layer + ".bias", normal(4, 2));
        model.write("batchNorm0.weight", normal(4, 3));
        model.write("batchNorm0.bias", normal(4, 4));
        model.write("batchNorm0.runningMean", normal(4, 5));
        model.write("batchNorm0.runningVariance", new float[] {0.5f, 1, 2, 3});
        float[] y = model.predict(x);
        float[] w = model.read(layer + ".weight");
        for (int i = 0; i < y.length; i++) {
          int unit = i % 4;
          double z = model.read(layer + ".bias")[unit];
          for (int k = 0; k < w.length / 4; k++) {
            z += w[unit * w.length / 4 + k] * x[net == dense ? k : i / 4];
          }
          double variance = model.read("batchNorm0.runningVariance")[unit];
          double expected =
              model.read("batchNorm0.weight")[unit]
                      * (z - model.read("batchNorm0.runningMean")[unit])
                      / Math.sqrt(variance + 1e-5)
                  + model.read("batchNorm0.bias")[unit];
          assertEquals(expected, y[i], 1e-5, layer + ", output " + i);
        }
      }
    }
  }

  private static double[] trained(Backends backend, BatchNorm norm, float[] x) {
    Device device = backend.device();
    try (Trainer trainer = Trainer.of(Net.input(1).batchNorm(norm)).on(device).loss(WEIGHTED_SUM)) {
      double[] y = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        float[] pick = new float[x.length];
        pick[i] = 1;
        y[i] = trainer.step(x, pick, 0);
      }
      return y;
    }
  }

  private static double runningVariance(Backends backend, BatchNorm norm) {
    try (Trainer trainer =
        Trainer.of(Net.input(1).batchNorm(norm)).on(backend.device()).loss(WEIGHTED_SUM)) {
      trainer.step(FOUR, new float[4], 0);
      assertEquals(0.25, trainer.model().read("batchNorm0.runningMean")[0], 1e-6);
      return trainer.model().read("batchNorm0.runningVariance")[0];
    }
  }

  private static float[] normal(int count, long seed) {
    return Initializer.normal(1).sample(Shape.of(count), seed, 0);
  }
}
