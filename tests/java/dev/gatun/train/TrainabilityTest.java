package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/// What makes nets learn or not: the activation, the learning rate, the scale of the weights.
class TrainabilityTest {
  private static final int EXAMPLES = 200;
  private static final int INPUTS = 20;
  private static final int CLASSES = 4;

  /// Clouds around a point for each class, which lie over each other a little.
  private static float[] clouds(long seed) {
    RandomStream random = new RandomStream(seed, 0);
    double[] centres = new double[CLASSES * INPUTS];
    for (int i = 0; i < centres.length; i++) {
      centres[i] = 0.8 * random.nextGaussian();
    }
    float[] x = new float[EXAMPLES * INPUTS];
    for (int i = 0; i < x.length; i++) {
      int label = i / INPUTS % CLASSES;
      x[i] = (float) (centres[label * INPUTS + i % INPUTS] + random.nextGaussian());
    }
    return x;
  }

  private static int[] labels() {
    int[] labels = new int[EXAMPLES];
    Arrays.setAll(labels, i -> i % CLASSES);
    return labels;
  }

  /// A net of six layers learns in fewer steps with ReLU than with sigmoids; Krizhevsky et al. 2012
  /// had six times fewer than with tanh, on pictures.
  @Test
  void relu_learnsFasterThanSigmoid() {
    int relu = steps(Net::relu, 600);
    int sigmoid = steps(Net::sigmoid, 600);
    assertTrue(6 * relu < sigmoid, "%d steps with ReLU, %d".formatted(relu, sigmoid));
  }

  /// Steps until the loss is a quarter of that of guessing, `limit` at most.
  private static int steps(UnaryOperator<Net> activation, int limit) {
    Net net = Net.input(INPUTS);
    for (int l = 0; l < 5; l++) {
      net = activation.apply(net.dense(32));
    }
    float[] x = clouds(1);
    int[] labels = labels();
    try (Trainer trainer =
        Trainer.of(net.dense(CLASSES))
            .on(Backends.CPU.device())
            .optimizer(Optimizer.sgd(1).momentum(0.9))) {
      int steps = 0;
      while (steps < limit && trainer.step(x, labels, 0.02) > Math.log(CLASSES) / 4) {
        steps++;
      }
      return steps;
    }
  }

  /// A rate may be too small to get anywhere, good, or so large that the loss grows.
  @Test
  void rates_areLowGoodOrTooHigh() {
    double low = lossAfter(1e-4);
    double good = lossAfter(0.3);
    double high = lossAfter(1000);
    double guess = Math.log(CLASSES);
    assertTrue(
        good < 0.1 && low > 0.7 * guess && !(high < guess),
        "%.3f, %.3f, %.3f".formatted(low, good, high));
  }

  private static double lossAfter(double rate) {
    float[] x = clouds(1);
    int[] labels = labels();
    try (Trainer trainer =
        Trainer.of(Net.input(INPUTS).dense(32).relu().dense(CLASSES))
            .on(Backends.CPU.device())
            .optimizer(Optimizer.sgd(1))) {
      double loss = 0;
      for (int i = 0; i < 100; i++) {
        loss = trainer.step(x, labels, rate);
      }
      return loss;
    }
  }

  /// Inputs that are all positive, and one step at a rate that is far too large: many ReLUs give 0
  /// for every example from then on. Their weights stand still for ever; those of leaky ones move.
  @Test
  void aLargeStep_killsRelus_butNotLeakyOnes() {
    float[] x = clouds(2);
    for (int i = 0; i < x.length; i++) {
      x[i] = Math.abs(x[i]);
    }
    assertEquals(0, dead(x, Net::relu, 0.1).size());
    List<Integer> dead = dead(x, Net::relu, 300);
    assertTrue(dead.size() >= 10, dead.size() + " of 40 units died");
    assertTrue(dead(x, Net::leakyRelu, 300).size() >= 10, "as many are beyond 0");
    for (boolean leaky : new boolean[] {false, true}) {
      UnaryOperator<Net> activation = leaky ? Net::leakyRelu : Net::relu;
      try (Trainer trainer = shocked(x, activation, 300)) {
        List<Integer> silent = silent(x, trainer.model().read("dense0.weight"), bias(trainer));
        float[] before = trainer.model().read("dense0.weight");
        for (int i = 0; i < 20; i++) {
          trainer.step(x, labels(), 0.01);
        }
        float[] after = trainer.model().read("dense0.weight");
        for (int unit : silent) {
          float[] was = Arrays.copyOfRange(before, unit * INPUTS, (unit + 1) * INPUTS);
          float[] is = Arrays.copyOfRange(after, unit * INPUTS, (unit + 1) * INPUTS);
          if (leaky) {
            assertTrue(!Arrays.equals(was, is), "unit " + unit + " stands still");
          } else {
            assertArrayEquals(was, is, "unit " + unit);
          }
        }
      }
    }
  }

  private static List<Integer> dead(float[] x, UnaryOperator<Net> activation, double rate) {
    try (Trainer trainer = shocked(x, activation, rate)) {
      return silent(x, trainer.model().read("dense0.weight"), bias(trainer));
    }
  }

  private static float[] bias(Trainer trainer) {
    return trainer.model().read("dense0.bias");
  }

  /// A net after one step at this rate.
  private static Trainer shocked(float[] x, UnaryOperator<Net> activation, double rate) {
    Trainer trainer =
        Trainer.of(activation.apply(Net.input(INPUTS).dense(40)).dense(CLASSES))
            .on(Backends.CPU.device())
            .optimizer(Optimizer.sgd(1));
    trainer.step(x, labels(), rate);
    return trainer;
  }

  /// The units that no example brings above 0.
  private static List<Integer> silent(float[] x, float[] weights, float[] bias) {
    List<Integer> silent = new ArrayList<>();
    for (int unit = 0; unit < bias.length; unit++) {
      double greatest = Double.NEGATIVE_INFINITY;
      for (int n = 0; n < EXAMPLES; n++) {
        double z = bias[unit];
        for (int i = 0; i < INPUTS; i++) {
          z += weights[unit * INPUTS + i] * x[n * INPUTS + i];
        }
        greatest = Math.max(greatest, z);
      }
      if (greatest <= 0) {
        silent.add(unit);
      }
    }
    return silent;
  }

  /// Ten layers whose weights start at a quarter or at four times of what suits them. Without
  /// normalisation, a quarter leaves 0.25^10 = 10^-6 of signals and gradients, so that the loss
  /// stays that of guessing to 4 digits, and four times makes logits of 10^6, from which no run
  /// comes back.
  @Test
  void withoutNorms_theScaleOfWeightsIsFate() {
    UnaryOperator<Net> none = net -> net;
    double guess = Math.log(CLASSES);
    assertTrue(losses(none, 1, 1, 150)[149] < guess / 2, "the right class has one half and more");
    assertEquals(guess, losses(none, 0.25, 1, 150)[149], 1e-4);
    assertTrue(!(losses(none, 4, 1, 150)[149] < guess));
  }

  /// With batch or layer norm behind it, a layer with weights s W gives what it gives with W, and
  /// its gradient is a factor s smaller: a run with a rate of s² for these weights is the same run.
  /// Not to the last bit, for epsilon is 10^-5 of a variance of s² and more: with s = 1/4 its share
  /// is 10^-4 in each of ten layers, so 10^-3 in the first loss, and ten times that ten steps on.
  /// Whatever the scale, and at one rate for all, half of the loss of guessing is soon undercut. A
  /// later loss says nothing: a quarter of the scale is 16 times the rate, at which layer norm's
  /// run bounces between 0.3 and 2 once it is down there, otherwise for every rounding.
  @Test
  void norms_forgiveTheScaleOfWeights() {
    for (UnaryOperator<Net> norm : List.<UnaryOperator<Net>>of(Net::batchNorm, Net::layerNorm)) {
      double[] plain = losses(norm, 1, 1, 150);
      for (double scale : new double[] {0.25, 4}) {
        double[] same = losses(norm, scale, scale * scale, 11);
        assertEquals(plain[0], same[0], 1e-3 * plain[0], "scale " + scale);
        assertEquals(plain[10], same[10], 1e-2 * plain[10], "scale " + scale);
        double least = Arrays.stream(losses(norm, scale, 1, 100)).min().orElseThrow();
        assertTrue(least < Math.log(CLASSES) / 2, "scale " + scale + ": loss " + least);
      }
      assertTrue(plain[149] < Math.log(CLASSES) / 2);
    }
  }

  /// The losses of as many steps; `rate` is a factor for the layers that a norm may follow.
  private static double[] losses(UnaryOperator<Net> norm, double scale, double rate, int steps) {
    Net net = Net.input(INPUTS);
    Initializer weights = Initializer.kaimingNormal().times(scale);
    for (int l = 0; l < 10; l++) {
      net = norm.apply(net.dense(new Dense(32).initializer(weights))).relu();
    }
    ParameterGroups groups =
        ParameterGroups.of(Optimizer.sgd(1).momentum(0.9))
            .rate(rate, (name, shape) -> name.startsWith("dense") && !name.startsWith("dense10."));
    float[] x = clouds(1);
    int[] labels = labels();
    double[] losses = new double[steps];
    try (Trainer trainer =
        Trainer.of(net.dense(CLASSES)).on(Backends.CPU.device()).optimizer(groups)) {
      for (int i = 0; i < steps; i++) {
        losses[i] = trainer.step(x, labels, 0.02);
      }
    }
    return losses;
  }
}
