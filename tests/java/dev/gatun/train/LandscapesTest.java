package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Clipping;
import dev.gatun.CompiledFunction;
import dev.gatun.Device;
import dev.gatun.FullBatch;
import dev.gatun.Functions;
import dev.gatun.Initializer;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/// The lectures' landscapes: what gradient descent, noise and momentum do in valleys, at saddle
/// points, behind barriers and at cliffs.
class LandscapesTest {
  private static final int[] LABEL = {0};

  /// Makes f(p) small; a step may add the same number to all of its gradient, as the noise of a
  /// minibatch.
  private static final class Walk implements AutoCloseable {
    private final Trainer trainer;

    Walk(Optimizer optimizer, Clipping clipping, UnaryOperator<Tensor> f, float... start) {
      Net net =
          Net.input(1)
              .layer(
                  "point",
                  (context, noise) -> {
                    Tensor p = context.parameter("p", Initializer.zeros(), start.length);
                    return noise.times(p.sum()).plus(f.apply(p));
                  });
      trainer =
          Trainer.of(net)
              .on(Backends.REFERENCE.device())
              .optimizer(optimizer)
              .clip(clipping)
              .loss((outputs, labels) -> outputs.mean());
      trainer.model().write("point0.p", start);
    }

    Walk(Optimizer optimizer, UnaryOperator<Tensor> f, float... start) {
      this(optimizer, Clipping.none(), f, start);
    }

    float[] step(double rate, double noise) {
      trainer.step(new float[] {(float) noise}, LABEL, rate);
      return trainer.model().read("point0.p");
    }

    float[] steps(int count, double rate) {
      float[] p = {};
      for (int i = 0; i < count; i++) {
        p = step(rate, 0);
      }
      return p;
    }

    @Override
    public void close() {
      trainer.close();
    }
  }

  /// ½ (x² + curvature · y²).
  private static UnaryOperator<Tensor> valley(double curvature) {
    return p -> {
      Tensor weights =
          Tensor.of(Backends.REFERENCE.device(), new float[] {1, (float) curvature}, 2);
      return p.square().times(weights).sum().times(0.5);
    };
  }

  /// Gradient descent is stable below 2 / λ for the greatest curvature λ, here 20, and not above.
  @Test
  void gradientDescent_isStableBelowTwoOverTheCurvature() {
    try (Scope _ = Scope.open();
        Walk below = new Walk(Optimizer.sgd(1), valley(20), 1, 1);
        Walk at = new Walk(Optimizer.sgd(1), valley(20), 1, 1);
        Walk above = new Walk(Optimizer.sgd(1), valley(20), 1, 1)) {
      assertEquals(Math.pow(0.998, 2000), Math.abs(below.steps(2000, 0.0999)[1]), 1e-3);
      assertEquals(1, Math.abs(at.steps(2000, 0.1)[1]), 1e-3);
      assertEquals(Math.pow(1.002, 2000), Math.abs(above.steps(2000, 0.1001)[1]), 0.5);
    }
  }

  /// At the best rate, 2 / (1 + κ), an error shrinks by (κ - 1) / (κ + 1) a step: four times the
  /// condition number, four times the steps.
  @Test
  void theConditionNumber_costsSteps() {
    int before = 0;
    for (double condition : new double[] {10, 40, 160}) {
      int steps = 0;
      try (Scope _ = Scope.open();
          Walk walk = new Walk(Optimizer.sgd(1), valley(condition), 1, 1)) {
        float[] p = {1, 1};
        while (Math.hypot(p[0], p[1]) > Math.sqrt(2) * 1e-3) {
          p = walk.step(2 / (1 + condition), 0);
          steps++;
        }
      }
      double expected = Math.log(1e3) / Math.log((condition + 1) / (condition - 1));
      assertEquals(expected, steps, 2 + 0.02 * expected, "steps for " + condition);
      assertTrue(before == 0 || (steps > 3.5 * before && steps < 4.5 * before));
      before = steps;
    }
  }

  /// On the ridge of x² - y² the gradient leads to the saddle point and no further; noise finds the
  /// way down, and from beside the ridge momentum is faster.
  @Test
  void aSaddlePoint_holdsGradientDescent() {
    UnaryOperator<Tensor> saddle =
        p -> p.square().times(Tensor.of(Backends.REFERENCE.device(), new float[] {1, -1}, 2)).sum();
    RandomStream random = new RandomStream(1, 0);
    try (Scope _ = Scope.open();
        Walk stuck = new Walk(Optimizer.sgd(1), saddle, 1, 0);
        Walk noisy = new Walk(Optimizer.sgd(1), saddle, 1, 0);
        Walk plain = new Walk(Optimizer.sgd(1), saddle, 1, 1e-6f);
        Walk heavy = new Walk(Optimizer.sgd(1).momentum(0.9), saddle, 1, 1e-6f)) {
      float[] p = stuck.steps(300, 0.05);
      assertEquals(0, p[0], 1e-6);
      assertEquals(0, p[1]);
      float[] q = {1, 0};
      for (int i = 0; i < 300 && Math.abs(q[1]) < 1; i++) {
        q = noisy.step(0.05, 0.01 * random.nextGaussian());
      }
      assertTrue(Math.abs(q[1]) >= 1, "still at " + q[1]);
      assertTrue(leave(heavy) < 0.7 * leave(plain));
    }
  }

  /// Steps until y is 1.
  private static int leave(Walk walk) {
    int steps = 1;
    while (Math.abs(walk.step(0.01, 0)[1]) < 1) {
      steps++;
    }
    return steps;
  }

  /// (x² - 1)² + 0.4 x: a shallow well at 0.95 and a deep one at -1.05.
  private static Tensor wells(Tensor p) {
    return p.square().minus(1).square().plus(p.times(0.4)).sum();
  }

  /// Gradient descent stays in the well it starts in; most runs with noisy gradients get out of the
  /// shallow one.
  @Test
  void noise_leavesShallowWells() {
    int left = 0;
    for (int run = 0; run < 20; run++) {
      RandomStream random = new RandomStream(run, 0);
      try (Walk walk = new Walk(Optimizer.sgd(1), LandscapesTest::wells, 0.9456f)) {
        float x = 1;
        for (int i = 0; i < 300 && x > -0.5; i++) {
          x = walk.step(0.05, 4 * random.nextGaussian())[0];
        }
        left += x <= -0.5 ? 1 : 0;
      }
    }
    assertTrue(left >= 12, left + " of 20 got out");
    try (Walk walk = new Walk(Optimizer.sgd(1), LandscapesTest::wells, 0.9456f)) {
      assertEquals(0.9456, walk.steps(300, 0.05)[0], 1e-3);
    }
  }

  /// Momentum crosses the barrier that holds gradient descent, is much faster along a valley, and
  /// at a rate that makes gradient descent jump from side to side every step does so less often.
  @Test
  void momentum_crossesAcceleratesAndDamps() {
    Optimizer momentum = Optimizer.sgd(1).momentum(0.9);
    try (Scope _ = Scope.open();
        Walk plain = new Walk(Optimizer.sgd(1), LandscapesTest::wells, 1.8f);
        Walk heavy = new Walk(momentum, LandscapesTest::wells, 1.8f);
        Walk slow = new Walk(Optimizer.sgd(1), valley(100), 1, 0);
        Walk fast = new Walk(momentum, valley(100), 1, 0);
        Walk jumping = new Walk(Optimizer.sgd(1), valley(100), 0, 1);
        Walk damped = new Walk(momentum, valley(100), 0, 1)) {
      assertEquals(0.9456, plain.steps(600, 0.01)[0], 1e-3);
      assertEquals(-1.0467, heavy.steps(600, 0.01)[0], 1e-3);
      assertTrue(4 * arrive(fast) < arrive(slow));
      assertEquals(39, turns(jumping));
      assertTrue(turns(damped) < 25);
    }
  }

  /// Steps until x is below a hundredth for good; the slower of both has none that goes up again.
  private static int arrive(Walk walk) {
    int last = 0;
    for (int i = 1; i <= 1500; i++) {
      if (Math.abs(walk.step(0.01, 0)[0]) > 0.01) {
        last = i;
      }
    }
    return last;
  }

  /// How often y changes its sign in 40 steps.
  private static int turns(Walk walk) {
    int turns = 0;
    float before = walk.step(0.018, 0)[1];
    for (int i = 1; i < 40; i++) {
      float y = walk.step(0.018, 0)[1];
      turns += y * before < 0 ? 1 : 0;
      before = y;
    }
    return turns;
  }

  /// Adam's first step is its rate, however large the gradient, for its means are corrected for
  /// having begun at 0. Without that it would be 3.16 times as long.
  @Test
  void adamsFirstStep_isItsRate() {
    for (double slope : new double[] {1e-3, 1, -1000}) {
      try (Walk walk = new Walk(Optimizer.adam(1), p -> p.sum().times(slope), 0)) {
        assertEquals(-0.01 * Math.signum(slope), walk.step(0.01, 0)[0], 1e-6);
      }
    }
    assertEquals(3.1623, (1 - 0.9) / Math.sqrt(1 - 0.999), 1e-4);
  }

  /// A steep slope of 51 and a long one of 1 behind it. AdaGrad remembers the steep one for ever:
  /// its steps are 51 times too short, and shorter at each. RMSProp forgets, and arrives.
  @Test
  void rmsProp_forgetsSteepSlopes() {
    UnaryOperator<Tensor> slopes = p -> p.minus(1).relu().times(50).plus(p).sum();
    try (Walk adaGrad = new Walk(Optimizer.adaGrad(1), slopes, 3);
        Walk rmsProp = new Walk(Optimizer.rmsProp(1), slopes, 3)) {
      float remembering = adaGrad.steps(1000, 0.05)[0];
      float forgetting = rmsProp.steps(1000, 0.05)[0];
      assertTrue(remembering > 0.5 && forgetting < -5, remembering + " against " + forgetting);
    }
  }

  /// A cliff: w multiplied thirty times with itself, to become 1. From 1.3 a plain step leads far
  /// away; with the gradient's norm clipped the same rate arrives.
  @Test
  void clipping_descendsACliff() {
    UnaryOperator<Tensor> cliff =
        p -> {
          Tensor product = p;
          for (int i = 1; i < 30; i++) {
            product = product.times(p);
          }
          return product.minus(1).square().sum();
        };
    try (Walk plain = new Walk(Optimizer.sgd(1), cliff, 1.3f);
        Walk clipped = new Walk(Optimizer.sgd(1), Clipping.byNorm(1), cliff, 1.3f)) {
      float thrown = plain.step(1e-3, 0)[0];
      assertTrue(thrown < -1000, "thrown to " + thrown);
      assertEquals(1, clipped.steps(600, 1e-3)[0], 2e-3);
    }
  }

  /// Inputs that are all positive make the flat direction of a neuron's loss seven times flatter
  /// than the steep one, so that descent goes its zigzag; centred ones need a step.
  @Test
  void centredInputs_needFewerSteps() {
    int positive = stepsOfANeuron(0.5);
    int centred = stepsOfANeuron(0);
    assertTrue(positive > 5 * centred, positive + " steps against " + centred);
  }

  /// Steps at the best stable rate until the weights are those that made the targets.
  private static int stepsOfANeuron(double offset) {
    RandomStream random = new RandomStream(1, 0);
    int n = 4000;
    double[] second = new double[3]; // moments xx, xy, yy
    for (int i = 0; i < n; i++) {
      double x = random.nextDouble() - 0.5 + offset;
      double y = random.nextDouble() - 0.5 + offset;
      second[0] += x * x / n;
      second[1] += x * y / n;
      second[2] += y * y / n;
    }
    Device device = Backends.REFERENCE.device();
    try (Scope _ = Scope.open()) {
      float[] h = {(float) second[0], (float) second[1], (float) second[1], (float) second[2]};
      Tensor moments = Tensor.of(device, h, 2, 2);
      Tensor goal = Tensor.of(device, new float[] {1, -1}, 1, 2);
      UnaryOperator<Tensor> error =
          p -> {
            Tensor away = p.reshape(1, 2).minus(goal);
            return away.matmul(moments).times(away).sum().times(0.5);
          };
      double greatest = (h[0] + h[3]) / 2 + Math.hypot((h[0] - h[3]) / 2, h[1]);
      int steps = 0;
      try (Walk walk = new Walk(Optimizer.sgd(1), error, 0, 0)) {
        float[] p = {0, 0};
        while (Math.hypot(p[0] - 1, p[1] + 1) > 0.05) {
          p = walk.step(1 / greatest, 0);
          steps++;
        }
      }
      return steps;
    }
  }

  /// A data set that is there three times has the gradient of one copy.
  @Test
  void copiesOfTheData_changeNothing() {
    float[] inputs = Pictures.normal(40 * 5, 1);
    int[] labels = Pictures.labels(40, 3, 2);
    float[] inputs3 = new float[3 * inputs.length];
    int[] labels3 = new int[3 * labels.length];
    for (int k = 0; k < 3; k++) {
      System.arraycopy(inputs, 0, inputs3, k * inputs.length, inputs.length);
      System.arraycopy(labels, 0, labels3, k * labels.length, labels.length);
    }
    try (Model model = Model.of(Net.input(5).dense(7).tanh().dense(3), Backends.CPU.device(), 1);
        FullBatch once = FullBatch.of(model, Loss.softmaxCrossEntropy(), inputs, labels);
        FullBatch thrice = FullBatch.of(model, Loss.softmaxCrossEntropy(), inputs3, labels3)) {
      double[] point = once.parameters();
      double[] gradient = new double[point.length];
      double[] gradient3 = new double[point.length];
      assertEquals(
          once.valueAndGradient(point, gradient), thrice.valueAndGradient(point, gradient3), 1e-6);
      assertArrayEquals(gradient, gradient3, 1e-6);
    }
  }

  /// The gradient of a minibatch is that of all data plus noise, whose variance is one over its
  /// size.
  @Test
  void aMinibatchsNoise_fallsWithItsSize() {
    int n = 2048;
    int size = 6;
    float[] inputs = Pictures.normal(n * size, 1);
    float[] targets = Pictures.normal(n, 2);
    Device device = Backends.CPU.device();
    RandomStream random = new RandomStream(3, 0);
    try (Scope _ = Scope.open()) {
      Tensor w = Tensor.randn(device, 4, 1, size);
      double[] logs = new double[4];
      int[] batches = {1, 4, 16, 64};
      double[] all = gradients(device, w, inputs, targets, List.of(range(n)))[0];
      for (int k = 0; k < 4; k++) {
        int[][] drawn = new int[600][batches[k]];
        for (int[] batch : drawn) {
          Arrays.setAll(batch, i -> random.nextInt(n));
        }
        double variance = 0;
        double[] mean = new double[size];
        for (double[] g : gradients(device, w, inputs, targets, List.of(drawn))) {
          for (int i = 0; i < size; i++) {
            variance += (g[i] - all[i]) * (g[i] - all[i]) / 600;
            mean[i] += g[i] / 600;
          }
        }
        double error = Math.sqrt(variance / 600);
        for (int i = 0; i < size; i++) {
          assertEquals(all[i], mean[i], 5 * error, "without bias");
        }
        logs[k] = Math.log(variance);
      }
      assertEquals(-1, (logs[3] - logs[0]) / Math.log(64), 0.1, "the slope");
      assertEquals(-1, (logs[2] - logs[1]) / Math.log(4), 0.25);
    }
  }

  /// Of the mean squared error of `inputs · w`, for each batch of examples.
  private static double[][] gradients(
      Device device, Tensor w, float[] inputs, float[] targets, List<int[]> batches) {
    int size = (int) w.shape().dim(1);
    double[][] found = new double[batches.size()][];
    try (CompiledFunction gradient =
        Functions.compile(
            in ->
                Functions.grad(v -> in[0].matmulTransposed(v[0]).minus(in[1]).square().mean())
                    .apply(in[2]))) {
      for (int b = 0; b < found.length; b++) {
        int[] batch = batches.get(b);
        float[] x = new float[batch.length * size];
        float[] t = new float[batch.length];
        for (int i = 0; i < batch.length; i++) {
          System.arraycopy(inputs, batch[i] * size, x, i * size, size);
          t[i] = targets[batch[i]];
        }
        try (Scope _ = Scope.open()) {
          found[b] =
              gradient
                  .apply(
                      Tensor.of(device, x, batch.length, size),
                      Tensor.of(device, t, batch.length, 1),
                      w)
                  .getFirst()
                  .toDoubleArray();
        }
      }
    }
    return found;
  }

  private static int[] range(int n) {
    int[] range = new int[n];
    Arrays.setAll(range, i -> i);
    return range;
  }
}
