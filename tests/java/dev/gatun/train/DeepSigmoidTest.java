package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Standardizer;
import dev.gatun.suite.Backends;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Thirty layers of sigmoids: a slope of 1/4 at most in each lets no gradient through, unless batch
/// norm scales each layer's inputs and, with them, the gradients.
class DeepSigmoidTest {
  private static final int LAYERS = 30;
  private static final ImageShape IMAGE = new ImageShape(8, 8, 1);

  @Test
  void thirtyLayers_trainWithBatchNormAlone() {
    double without = accuracy(false);
    double with = accuracy(true);
    assertTrue(without < 0.2, "without batch norm it guesses one of ten: " + without);
    assertTrue(with > 0.8, "with batch norm it learns: " + with);
  }

  private static double accuracy(boolean normalised) {
    Dataset train = Pictures.noisy(2000, IMAGE, 0.5, 1);
    Dataset test = Pictures.noisy(500, IMAGE, 0.5, 2);
    Net net = Net.input(8, 8, 1).flatten();
    for (int i = 0; i < LAYERS; i++) {
      net = net.dense(new Dense(64).initializer(Initializer.glorotNormal()));
      net = (normalised ? net.batchNorm() : net).sigmoid();
    }
    try (Trainer trainer =
        Trainer.of(net.dense(Pictures.CLASSES))
            .on(Backends.CPU.device())
            .preprocess(Standardizer.fit(train))
            .optimizer(Optimizer.adam(0.002))) {
      return Objects.requireNonNull(
              trainer.fit(train.batch(50), test.batch(100), Span.epochs(15)).test())
          .accuracy();
    }
  }
}
