package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.LayerContext;
import dev.gatun.Loss;
import dev.gatun.Mode;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recurrent;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.GatherRows;
import dev.gatun.graph.op.Literal;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Why batch norm is not so successful in recurrent networks, and layer norm is: what it adds to a
/// state depends on the other sequences of the batch, at each step anew, and early and late steps
/// share one running estimate.
class RecurrentNormsTest {
  private static final int STEPS = 12;
  private static final int LAG = 4;
  private static final int UNITS = 16;
  private static final int LEARNED = 600;
  private static final int MEASURED = 200;
  private static final double RATE = 0.005;
  private static final double EPSILON = 1e-5;

  @BeforeAll
  static void needsTheNativeLibrary() {
    Backends.requireNative();
  }

  /// The target is the sign of the number that came four steps from the end. Both have as many
  /// steps of training, by batches of 2, 4 and 16.
  @Test
  void layerNorm_remembersWhereBatchNormDoesNot() {
    Net input = Net.input(STEPS, 1);
    Net withBatchNorm = input.layer("rnn", new BatchNormedRnn()).dense(1);
    Net withLayerNorm = input.recurrent(Recurrent.rnn(UNITS).layerNorm().lastState()).dense(1);
    for (int batch : new int[] {2, 4, 16}) {
      Losses byBatch = learn(withBatchNorm, batch);
      Losses byLayer = learn(withLayerNorm, batch);
      String found =
          "batches of %d: batch norm %s, layer norm %s".formatted(batch, byBatch, byLayer);
      assertTrue(byLayer.prediction() < 0.03, found);
      assertTrue(byBatch.prediction() > 5 * byLayer.prediction(), found);
      // Layer norm knows no mode; a network with batch norms predicts as another one than it
      // learns.
      assertEquals(byLayer.training(), byLayer.prediction(), 1e-4 * byLayer.training(), found);
      double apart = Math.abs(byBatch.training() - byBatch.prediction());
      assertTrue(apart > 0.1 * byBatch.training(), found);
    }
  }

  /// Mean squared errors over new batches, where 1 is what is left if nothing is learned: as
  /// training computes them, and as predictions have them.
  private record Losses(double training, double prediction) {}

  private static Losses learn(Net net, int batch) {
    RandomStream random = new RandomStream(17, 0);
    float[] x = new float[batch * STEPS];
    float[] targets = new float[batch];
    double training = 0;
    double prediction = 0;
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.CPU.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.adam(RATE))
            .clipNorm(1)
            .seed(3)) {
      for (int i = 0; i < LEARNED; i++) {
        draw(random, x, targets);
        trainer.step(x, targets, RATE);
      }
      for (int i = 0; i < MEASURED; i++) {
        draw(random, x, targets);
        float[] predicted = trainer.model().predict(x);
        for (int n = 0; n < batch; n++) {
          prediction += Math.pow(predicted[n] - targets[n], 2) / batch / MEASURED;
        }
        training += trainer.step(x, targets, 0) / MEASURED;
      }
    }
    return new Losses(training, prediction);
  }

  private static void draw(RandomStream random, float[] x, float[] targets) {
    for (int n = 0; n < targets.length; n++) {
      for (int t = 0; t < STEPS; t++) {
        x[n * STEPS + t] = (float) random.nextGaussian();
      }
      targets[n] = x[n * STEPS + STEPS - LAG] > 0 ? 1 : -1;
    }
  }

  /// h' = tanh(W input + b + BN(U h)), the norm by the batch's statistics of each step (Laurent et
  /// al. 2016), with one running estimate for all steps; gives the last state.
  private record BatchNormedRnn() implements Layer {
    private static final double MOMENTUM = 0.01;

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long batch = x.shape().dim(0);
      Tensor weights = context.parameter("inputWeight", Initializer.glorotUniform(), UNITS, 1);
      Tensor bias = context.parameter("bias", Initializer.zeros(), UNITS);
      Tensor states = context.parameter("recurrentWeight", Initializer.orthogonal(1), UNITS, UNITS);
      Tensor gain = context.parameter("norm", Initializer.ones(), UNITS);
      Tensor runningMean = context.state("runningMean", 0, UNITS);
      Tensor runningVariance = context.state("runningVariance", 1, UNITS);
      Tensor inputs = x.permute(1, 0, 2).reshape(STEPS * batch, 1);
      Tensor sums = inputs.matmulTransposed(weights).plus(bias).reshape(STEPS, batch * UNITS);
      Tensor h = step(sums, 0, batch).times(0);
      Tensor means = runningMean.times(0);
      Tensor variances = means;
      for (int t = 0; t < STEPS; t++) {
        Tensor products = h.matmulTransposed(states);
        Tensor mean = products.mean(0);
        Tensor variance = products.minus(mean).square().mean(0);
        means = means.plus(mean.times(1.0 / STEPS));
        variances = variances.plus(variance.times(1.0 / STEPS));
        boolean training = context.mode() == Mode.TRAINING;
        Tensor centre = training ? mean : runningMean;
        Tensor spread = (training ? variance : runningVariance).plus(EPSILON).sqrt();
        Tensor normal = products.minus(centre).div(spread).times(gain);
        h = step(sums, t, batch).plus(normal).tanh();
      }
      if (context.mode() == Mode.TRAINING) {
        context.update(runningMean, moved(runningMean, means));
        context.update(runningVariance, moved(runningVariance, variances));
      }
      return h;
    }

    private static Tensor moved(Tensor running, Tensor now) {
      return running.times(1 - MOMENTUM).plus(now.times(MOMENTUM));
    }

    /// Row t of the sums, as [N,UNITS].
    private static Tensor step(Tensor sums, int t, long batch) {
      Literal index = new Literal(new TensorType(DType.I32, Shape.of(1)), List.of((double) t));
      Tensor indices = ((Value) sums).graph().apply(index, List.of()).getFirst();
      Tensor row = Tensor.applyAll(new GatherRows(), List.of(sums, indices)).getFirst();
      return row.reshape(batch, UNITS);
    }
  }
}
