package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Bias;
import dev.gatun.Layers.DropConnect;
import dev.gatun.Layers.Dropout;
import dev.gatun.Layers.SpatialDropout;
import dev.gatun.Layers.StochasticDepth;
import dev.gatun.Model;
import dev.gatun.MonteCarlo;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ShapeException;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What dropout drops in its forms, what it leaves of the expectation, and predictions with it.
class DropoutFormsTest {
  private static final int[] ONE_LABEL = {0};

  /// Of 200 pictures of ones with 8 channels, a quarter of the channels is gone, each as a whole.
  @ParameterizedTest
  @EnumSource
  void spatialDropout_dropsWholeChannels(Backends backend) {
    float[] y = once(Net.input(3, 5, 8).spatialDropout(0.25), backend.device(), ones(200 * 120), 1);
    int dropped = 0;
    for (int n = 0; n < 200; n++) {
      for (int c = 0; c < 8; c++) {
        float first = y[n * 120 + c];
        assertEquals(first == 0 ? 0 : 4f / 3, first);
        for (int place = 1; place < 15; place++) {
          assertEquals(first, y[n * 120 + 8 * place + c]);
        }
        dropped += first == 0 ? 1 : 0;
      }
    }
    binomial(dropped, 1600, 0.25);
  }

  /// A picture keeps its branch or loses it.
  @ParameterizedTest
  @EnumSource
  void stochasticDepth_dropsWholeExamples(Backends backend) {
    float[] x = normal(400 * 6);
    float[] y = once(Net.input(1, 2, 3).stochasticDepth(0.2), backend.device(), x, 1);
    int dropped = 0;
    for (int n = 0; n < 400; n++) {
      boolean gone = y[6 * n] == 0;
      dropped += gone ? 1 : 0;
      for (int i = 6 * n; i < 6 * n + 6; i++) {
        assertEquals(gone ? 0 : x[i] * 1.25f, y[i], 1e-6f);
      }
    }
    binomial(dropped, 400, 0.2);
  }

  /// The rows of the identity matrix read out the weights that are there: one mask for all of them.
  @ParameterizedTest
  @EnumSource
  void dropConnect_dropsWeights(Backends backend) {
    int inputs = 40;
    int units = 25;
    float[] identity = new float[inputs * inputs];
    for (int i = 0; i < inputs; i++) {
      identity[i * inputs + i] = 1;
    }
    Net net = Net.input(inputs).dropConnect(units, 0.5);
    try (Model model = Model.of(net, backend.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 2)) {
      float[] weights = model.read("dropConnect0.weight");
      float[] found = sampler.predict(identity, 1).mean();
      int dropped = 0;
      for (int i = 0; i < inputs; i++) {
        for (int u = 0; u < units; u++) {
          float weight = found[i * units + u];
          assertEquals(weight == 0 ? 0 : 2 * weights[u * inputs + i], weight, 1e-6f);
          dropped += weight == 0 ? 1 : 0;
        }
      }
      binomial(dropped, inputs * units, 0.5);
      assertArrayEquals(
          transposed(weights, units, inputs), model.predict(identity), 1e-6f, "in inference");
    }
  }

  /// The gradient flows through the weights that were there, and they alone.
  @ParameterizedTest
  @EnumSource
  void dropConnect_trainsTheWeightsThatAreThere(Backends backend) {
    Net net =
        Net.input(50)
            .layer("drop", new DropConnect(3, 0.5, Bias.WITHOUT, Initializer.constant(0.5)));
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.sgd(1))
            .loss((outputs, labels) -> outputs.sum())) {
      double loss = trainer.step(ones(50), ONE_LABEL, 0.125);
      int there = 0;
      for (float weight : trainer.model().read("drop0.weight")) {
        assertEquals(weight == 0.5f ? 0.5f : 0.25f, weight);
        there += weight == 0.5f ? 0 : 1;
      }
      assertEquals(there, loss, "each of them is 1 in the sum");
      binomial(there, 150, 0.5);
    }
  }

  /// The lectures' derivation for one neuron: over the four masks of two inputs the expectation is
  /// w₁x + w₂y, and without the division by what stays, as in the vanilla form, half of it.
  @Test
  void aNeuron_hasFourMasks_andTheirMeanIsInference() {
    Net net = Net.input(2).dropout(0.5).dense(1);
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 3)) {
      model.write("dense0.weight", new float[] {3, 5});
      float[] inputs = new float[2 * 4000];
      for (int i = 0; i < inputs.length; i += 2) {
        inputs[i] = 1;
        inputs[i + 1] = 2;
      }
      Map<Float, Integer> counts = new TreeMap<>();
      for (float y : sampler.predict(inputs, 1).mean()) {
        counts.merge(y, 1, Integer::sum);
      }
      assertArrayEquals(new Object[] {0f, 6f, 20f, 26f}, counts.keySet().toArray());
      counts.values().forEach(count -> binomial(count, 4000, 0.25));
      double mean = (0 + 6 + 20 + 26) / 4.0;
      assertEquals(mean, model.predict(new float[] {1, 2})[0]);
      assertEquals(mean / 2, (0 + 3 + 10 + 13) / 4.0, "vanilla: half of w₁x + w₂y");
    }
  }

  /// The mean over many masks is what inference gives, to five standard errors, and the variance
  /// that of a Bernoulli variable, x² p / (1 - p).
  @ParameterizedTest
  @EnumSource
  void everyForm_keepsTheExpectation(Backends backend) {
    int samples = 4000;
    Net input = Net.input(2, 2, 3);
    for (Net net :
        new Net[] {
          input.dropout(0.3), input.spatialDropout(0.3), input.stochasticDepth(0.3),
        }) {
      float[] x = normal(12);
      try (Model model = Model.of(net, backend.device(), 1);
          MonteCarlo sampler = MonteCarlo.of(model, 5)) {
        assertArrayEquals(x, model.predict(x));
        MonteCarlo.Prediction found = sampler.predict(x, samples);
        for (int i = 0; i < 12; i++) {
          double variance = x[i] * x[i] * 0.3 / 0.7;
          assertEquals(x[i], found.mean()[i], 5 * Math.sqrt(variance / samples));
          assertEquals(variance, found.variance()[i], 0.1 * variance);
        }
      }
    }
    Net connect = Net.input(12).dropConnect(4, 0.3);
    try (Model model = Model.of(connect, backend.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 5)) {
      float[] x = normal(12);
      float[] expected = model.predict(x);
      MonteCarlo.Prediction found = sampler.predict(x, samples);
      for (int i = 0; i < 4; i++) {
        assertEquals(expected[i], found.mean()[i], 5 * Math.sqrt(found.variance()[i] / samples));
        assertTrue(found.variance()[i] > 0);
      }
    }
  }

  @Test
  void masks_areTheSameOnEveryDevice() {
    Net net = Net.input(3, 3, 7).spatialDropout(0.4).stochasticDepth(0.3);
    float[] x = ones(20 * 63);
    assertArrayEquals(
        once(net, Backends.REFERENCE.device(), x, 9), once(net, Backends.CPU.device(), x, 9));
    assertFalse(
        Arrays.equals(
            once(net, Backends.REFERENCE.device(), x, 9),
            once(net, Backends.REFERENCE.device(), x, 8)));
  }

  /// Without dropout every sample is the prediction; with it the same call gives the same answer,
  /// for more inputs than a batch holds too.
  @ParameterizedTest
  @EnumSource
  void monteCarlo_isAFunctionOfItsSeed(Backends backend) {
    float[] x = normal(300 * 4);
    try (Model plain = Model.of(Net.input(4).dense(3).batchNorm(), backend.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(plain, 1)) {
      MonteCarlo.Prediction found = sampler.predict(x, 3);
      assertArrayEquals(plain.predict(x), found.mean(), 1e-6f);
      assertArrayEquals(new float[900], found.variance(), 1e-12f);
    }
    try (Model model = Model.of(Net.input(4).dropout(0.5).dense(3), backend.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 1);
        MonteCarlo other = MonteCarlo.of(model, 2)) {
      MonteCarlo.Prediction found = sampler.predict(x, 20);
      assertArrayEquals(found.mean(), sampler.predict(x, 20).mean());
      assertFalse(Arrays.equals(found.mean(), other.predict(x, 20).mean()));
      System.arraycopy(x, 0, x, 256 * 4, 4);
      float[] once = sampler.predict(x, 1).mean();
      assertFalse(
          Arrays.equals(Arrays.copyOf(once, 3), Arrays.copyOfRange(once, 256 * 3, 257 * 3)),
          "batches have masks of their own");
      float[] shares = sampler.probabilities(x, 20).mean();
      for (int row = 0; row < 300; row++) {
        assertEquals(1, shares[3 * row] + shares[3 * row + 1] + shares[3 * row + 2], 1e-5);
      }
    }
  }

  @Test
  void badInput_isRefused() {
    refused(
        "[spatialDropout] expected a drop probability in [0, 1), found 1.0",
        () -> new SpatialDropout(1));
    refused(
        "[dropConnect] expected a drop probability in [0, 1), found -0.1",
        () -> new DropConnect(3, -0.1));
    refused(
        "[stochasticDepth] expected a drop probability in [0, 1), found NaN",
        () -> new StochasticDepth(Double.NaN));
    refused("[dropConnect] expected units of at least 1, found 0", () -> new DropConnect(0, 0.1));
    assertEquals(
        "spatialDropout0: [spatialDropout] expected [N, ..., C] with places between, found (2, 4)",
        assertThrows(ShapeException.class, () -> Net.input(4).spatialDropout(0.5)).getMessage());
    assertEquals(
        "layer0: [dropout] there is no axis 2 in (2, 4) to share a mask",
        assertThrows(
                ShapeException.class,
                () -> Net.input(4).layer("layer", (context, x) -> context.dropout(x, 0.5, 2)))
            .getMessage());
    try (Model model =
            Model.of(Net.input(2).layer("drop", new Dropout(0.5)), Backends.REFERENCE.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 1)) {
      refused(
          "[monteCarlo] expected at least 1 sample, found 0",
          () -> sampler.predict(new float[2], 0));
      assertEquals(
          "[monteCarlo] expected a multiple of 2 elements for inputs (2), found 3",
          assertThrows(ShapeException.class, () -> sampler.predict(new float[3], 1)).getMessage());
    }
  }

  /// One pass with dropout.
  private static float[] once(Net net, Device device, float[] x, long seed) {
    try (Model model = Model.of(net, device, 1);
        MonteCarlo sampler = MonteCarlo.of(model, seed)) {
      return sampler.predict(x, 1).mean();
    }
  }

  /// Five standard deviations.
  private static void binomial(int found, int count, double probability) {
    assertEquals(
        count * probability, found, 5 * Math.sqrt(count * probability * (1 - probability)));
  }

  private static float[] ones(int count) {
    float[] elements = new float[count];
    Arrays.fill(elements, 1);
    return elements;
  }

  private static float[] normal(int count) {
    RandomStream random = new RandomStream(3, 0);
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }

  private static float[] transposed(float[] matrix, int rows, int columns) {
    float[] result = new float[matrix.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        result[c * rows + r] = matrix[r * columns + c];
      }
    }
    return result;
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
