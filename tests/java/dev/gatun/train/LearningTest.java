package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.History;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.Datasets;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Split;
import dev.gatun.data.TestData;
import dev.gatun.suite.Backends;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Networks learn.
class LearningTest {
  @ParameterizedTest
  @EnumSource(Backends.class)
  void anMlp_learnsNoisyPictures(Backends backend) {
    ImageShape image = new ImageShape(12, 12, 1);
    Dataset train = Pictures.noisy(1000, image, 1.5, 1);
    Dataset test = Pictures.noisy(300, image, 1.5, 2);
    Net net = Net.input(12, 12, 1).flatten().dense(32).relu().dense(Pictures.CLASSES);
    double accuracy = accuracy(backend, net, 0.05, train, test, 2);
    assertTrue(accuracy > 0.9, "test accuracy " + accuracy);
  }

  @Test
  void aResidualNet_learnsNoisyPictures() {
    ImageShape image = new ImageShape(12, 12, 3);
    Dataset train = Pictures.noisy(1000, image, 1, 1);
    Dataset test = Pictures.noisy(300, image, 1, 2);
    Net net =
        Net.input(12, 12, 3)
            .conv(new Conv(16, 3).withoutBias())
            .batchNorm()
            .relu()
            .residual(
                branch -> branch.conv(new Conv(16, 3).withoutBias()).batchNorm().relu().conv(16, 3))
            .relu()
            .maxPool(2)
            .flatten()
            .dense(Pictures.CLASSES);
    double accuracy = accuracy(Backends.CPU, net, 0.02, train, test, 2);
    assertTrue(accuracy > 0.9, "test accuracy " + accuracy);
  }

  /// Branches of several windows on the same input, as in GoogLeNet.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void anInceptionBlock_learnsNoisyPictures(Backends backend) {
    learnsNoisyPictures(
        backend,
        net ->
            net.concat(
                x -> x.conv(4, 1).relu(),
                x -> x.conv(4, 1).relu().conv(4, 3).relu(),
                x -> x.conv(2, 1).relu().conv(2, 5).relu(),
                x -> x.maxPool(3, 1, 1).conv(2, 1).relu()));
  }

  /// Layers that see the outputs of all before them, as in DenseNet.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aDenseBlock_learnsNoisyPictures(Backends backend) {
    learnsNoisyPictures(
        backend,
        net -> {
          Net block = net;
          for (int i = 0; i < 3; i++) {
            block = block.concat(x -> x, x -> x.batchNorm().relu().conv(4, 3));
          }
          return block;
        });
  }

  /// Skips past what pools and brings back the size, one inside of the other, as in U-Net.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aUNet_learnsNoisyPictures(Backends backend) {
    learnsNoisyPictures(
        backend,
        net ->
            net.conv(4, 3)
                .relu()
                .concat(
                    x -> x,
                    x ->
                        x.maxPool(2)
                            .conv(6, 3)
                            .relu()
                            .concat(
                                y -> y, y -> y.maxPool(2).conv(8, 3).relu().convTransposed(6, 2, 2))
                            .conv(6, 3)
                            .relu()
                            .convTransposed(4, 2, 2))
                .conv(4, 3)
                .relu());
  }

  private static void learnsNoisyPictures(Backends backend, UnaryOperator<Net> body) {
    ImageShape image = new ImageShape(8, 8, 2);
    Dataset train = Pictures.noisy(500, image, 1, 1);
    Dataset test = Pictures.noisy(200, image, 1, 2);
    Net net = body.apply(Net.input(8, 8, 2)).flatten().dense(Pictures.CLASSES);
    double accuracy = accuracy(backend, net, 0.02, train, test, 3);
    assertTrue(accuracy > 0.9, "test accuracy " + accuracy);
  }

  /// One pass over 20,000 digits gives 0.936; without the hidden layer it is 0.886.
  @Test
  void anMlp_learnsDigits() {
    Split mnist = Datasets.open(TestData.folder("mnist"));
    Net net = Net.input(28, 28, 1).flatten().dense(128).relu().dense(10);
    double accuracy =
        accuracy(Backends.CPU, net, 0.05, mnist.train().take(20_000), mnist.test().take(2_000), 1);
    assertTrue(accuracy > 0.925, "test accuracy " + accuracy);
  }

  private static double accuracy(
      Backends backend, Net net, double rate, Dataset train, Dataset test, int epochs) {
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.sgd(rate).momentum(0.9))
            .schedule(Schedule.cosine())) {
      History history = trainer.fit(train.batch(50), test.batch(100), Span.epochs(epochs));
      return Objects.requireNonNull(history.test()).accuracy();
    }
  }
}
