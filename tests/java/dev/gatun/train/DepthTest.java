package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.History;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/// Depth: what it costs plain nets, and what residual ones make of it.
class DepthTest {
  private static final int WIDTH = 24;

  /// The figure of He et al. 2015 on a small scale: pairs of layers with batch norm, 12 or 56 deep.
  /// The deep plain net does worse than the shallow one on its own training set. With residual
  /// branches that begin at 0 the deep net does better than the shallow one, after as many steps.
  @Test
  void deepPlainNets_getWorse_residualOnesBetter() {
    for (long seed = 1; seed <= 3; seed++) {
      double plain = loss(5, false, seed);
      double deepPlain = loss(27, false, seed);
      double residual = loss(5, true, seed);
      double deepResidual = loss(27, true, seed);
      String losses =
          "plain %.3f, deep %.3f; residual %.3f, deep %.3f"
              .formatted(plain, deepPlain, residual, deepResidual);
      assertTrue(deepPlain > 1.5 * plain, losses);
      assertTrue(deepResidual < residual && 2 * deepResidual < deepPlain, losses);
    }
  }

  /// The mean loss of the last 50 of 300 steps.
  private static double loss(int pairs, boolean residual, long seed) {
    UnaryOperator<Net> pair = net -> net.dense(WIDTH).batchNorm().relu().dense(WIDTH).batchNorm();
    Net net = Net.input(Clouds.FEATURES).dense(WIDTH).batchNorm().relu();
    for (int l = 0; l < pairs; l++) {
      net = (residual ? net.residual(pair) : pair.apply(net)).relu();
    }
    Clouds train = Clouds.of(800, 0.45, seed, 0);
    RandomStream random = new RandomStream(seed, 5);
    try (Trainer trainer =
        Trainer.of(net.dense(Clouds.CLASSES))
            .on(Clouds.device())
            .seed(seed)
            .optimizer(Optimizer.sgd(1).momentum(0.9))) {
      Model model = trainer.model();
      for (String name : model.parameterNames()) {
        if (name.endsWith("branch.batchNorm1.weight")) {
          model.write(name, new float[WIDTH]);
        }
      }
      double mean = 0;
      for (int i = 0; i < 300; i++) {
        double rate = 0.01 * (1 + Math.cos(Math.PI * i / 300));
        double loss = train.batch(random, 64).step(trainer, rate);
        mean += i < 250 ? 0 : loss / 50;
      }
      return mean;
    }
  }

  /// The paper's deepest net, 1202 layers and 19.4 million parameters: summary, two steps on two
  /// pictures, and gradients that are finite and reach the first layer.
  @Test
  void twelveHundredLayers_haveAStep() {
    Net net = ResNet.cifar(1202, 10);
    assertEquals(19_421_274, net.parameterCount());
    assertTrue(net.summary().lines().count() > 1202);
    Dataset two = Pictures.noisy(2, new ImageShape(32, 32, 3), 1, 1);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.CPU.device())
            .clipNorm(Double.POSITIVE_INFINITY)
            .optimizer(Optimizer.sgd(1e-4))) {
      float before = trainer.model().read("conv0.weight")[0];
      History history = trainer.fit(two.batch(2), Span.steps(2));
      for (float norm : history.gradientNorms()) {
        assertTrue(Float.isFinite(norm) && norm > 0, "norm " + norm);
      }
      assertTrue(trainer.model().read("conv0.weight")[0] != before);
    }
  }
}
