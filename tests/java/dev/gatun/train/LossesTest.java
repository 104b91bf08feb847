package dev.gatun.train;

import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Losses: where they begin, what they are at known places, and the targets that a trainer takes.
class LossesTest {
  private static final List<Loss> ALL =
      List.of(
          Loss.softmaxCrossEntropy(),
          Loss.softmaxCrossEntropy().labelSmoothing(0.1),
          Loss.binaryCrossEntropy(),
          Loss.binaryCrossEntropy(2),
          Loss.hinge(),
          Loss.meanSquaredError(),
          Loss.meanAbsoluteError(),
          Loss.huber(0.5),
          Loss.klDivergence());

  /// Outputs of 0 give ln C, C - 1 and ln 2.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void initialLosses_areTheKnownOnes(Backends backend) {
    for (int classes : new int[] {2, 10, 100}) {
      double ln = Math.log(classes);
      assertEquals(ln, initial(backend, classes, Loss.softmaxCrossEntropy()), 1e-6 * ln);
      assertEquals(
          ln, initial(backend, classes, Loss.softmaxCrossEntropy().labelSmoothing(0.1)), 2e-6 * ln);
      assertEquals(ln, initial(backend, classes, Loss.klDivergence()), 2e-6 * ln);
      assertEquals(classes - 1, initial(backend, classes, Loss.hinge()), 1e-5 * classes);
      assertEquals(Math.log(2), initial(backend, classes, Loss.binaryCrossEntropy()), 1e-6);
      assertEquals(1.0 / classes, initial(backend, classes, Loss.meanSquaredError()), 1e-6);
      assertEquals(1.0 / classes, initial(backend, classes, Loss.meanAbsoluteError()), 1e-6);
      assertEquals(0.5 / classes, initial(backend, classes, Loss.huber(1)), 1e-6);
    }
  }

  /// Beside numbers of this size the logarithm of a sum is nothing.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void softmaxOfGreatOutputs_isThatOfTheirDifferences(Backends backend) {
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(backend.device(), new float[] {3e38f, 3e38f, 3e38f}, 1, 3);
      Tensor label = Tensor.of(backend.device(), new int[] {1}, 1);
      assertEquals(Math.log(3), Loss.softmaxCrossEntropy().apply(x, label).item(), 1e-6);
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void values_areThoseOfTheFormulas(Backends backend) {
    try (Scope _ = Scope.open()) {
      Device device = backend.device();
      Tensor x = Tensor.of(device, new double[] {3.2, 5.1, -1.7, 1.3, 4.9, 2.0}, 2, 3);
      Tensor labels = Tensor.of(device, new int[] {0, 1}, 2);
      // The lecture's scores of a cat and a car: 2.9 and 0.
      assertEquals((2.9 + 0) / 2, Loss.hinge().apply(x, labels).item(), 1e-12);
      assertEquals((2.4 + 0) / 2, Loss.hinge(0.5).apply(x, labels).item(), 1e-12);
      assertEquals((2.0403 + 0.0791) / 2, Loss.softmaxCrossEntropy().apply(x, labels).item(), 1e-4);
      Tensor y = Tensor.of(device, new double[] {0.5, -2, 3}, 3);
      Tensor t = Tensor.of(device, new double[] {0, 0, 0}, 3);
      assertEquals((0.25 + 4 + 9) / 3, Loss.meanSquaredError().apply(y, t).item(), 1e-12);
      assertEquals(5.5 / 3, Loss.meanAbsoluteError().apply(y, t).item(), 1e-12);
      assertEquals((0.125 + 1.5 + 2.5) / 3, Loss.huber(1).apply(y, t).item(), 1e-12);
      Tensor one = Tensor.of(device, new double[] {1, 1, 1}, 3);
      double positive = softplus(-0.5) + softplus(2) + softplus(-3);
      assertEquals(positive / 3, Loss.binaryCrossEntropy().apply(y, one).item(), 1e-12);
      assertEquals(positive, Loss.binaryCrossEntropy(3).apply(y, one).item(), 1e-12);
      Tensor each = Tensor.of(device, new double[] {1, 2, 5}, 3);
      assertEquals(
          (softplus(-0.5) + 2 * softplus(2) + 5 * softplus(-3)) / 3,
          Loss.binaryCrossEntropy(each).apply(y, one).item(),
          1e-12);
      Tensor p = Tensor.of(device, new double[] {0.5, 0.5, 0}, 1, 3);
      Tensor equal = Tensor.of(device, new double[] {7, 7, 7}, 1, 3);
      assertEquals(Math.log(1.5), Loss.klDivergence().apply(equal, p).item(), 1e-12);
    }
  }

  /// Rows with a negative label change neither a loss nor its gradient.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void ignoredRows_doNotCount(Backends backend) {
    Device device = backend.device();
    for (Loss loss : ALL) {
      try (Scope _ = Scope.open()) {
        double[] rows = {1, -2, 0.5, 3, 0.3, -1, 9, 9, -9};
        Tensor three = Tensor.of(device, rows, 3, 3);
        Tensor two = Tensor.of(device, Arrays.copyOf(rows, 6), 2, 3);
        Tensor some = Tensor.of(device, new int[] {2, 0, -1}, 3);
        Tensor all = Tensor.of(device, new int[] {2, 0}, 2);
        assertEquals(loss.apply(two, all).item(), loss.apply(three, some).item(), 1e-12);
        double[] expected =
            Functions.grad(in -> loss.apply(in[0], all)).apply(two).getFirst().toDoubleArray();
        double[] found =
            Functions.grad(in -> loss.apply(in[0], some)).apply(three).getFirst().toDoubleArray();
        for (int i = 0; i < 9; i++) {
          assertEquals(i < 6 ? expected[i] : 0, found[i], 1e-12);
        }
        Tensor none = Tensor.of(device, new int[] {-1, -1}, 2);
        assertEquals(0, loss.apply(two, none).item());
      }
    }
  }

  /// Labels and the distributions that they stand for are the same to every loss.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void labels_areDistributions(Backends backend) {
    Device device = backend.device();
    for (Loss loss : ALL) {
      try (Scope _ = Scope.open()) {
        Tensor x = Tensor.randn(device, 3, 5, 4);
        Tensor labels = Tensor.of(device, new int[] {0, 3, 1, 1, 2}, 5);
        Tensor hot = labels.oneHot(4);
        assertEquals(loss.apply(x, labels).item(), loss.apply(x, hot).item(), 2e-6);
        assertArrayEquals(
            Functions.grad(in -> loss.apply(in[0], labels)).apply(x).getFirst().toFloatArray(),
            Functions.grad(in -> loss.apply(in[0], hot)).apply(x).getFirst().toFloatArray(),
            1e-6f);
      }
    }
  }

  /// Two targets mixed 0.4 to 0.6, as mixup does it, give the losses so mixed.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void mixedTargets_giveMixedLosses(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 3, 5, 4);
      Tensor cats = Tensor.of(device, new int[] {0, 3, 1, 1, 2}, 5);
      Tensor dogs = Tensor.of(device, new int[] {1, 1, 2, 3, 0}, 5);
      Tensor mixed = cats.oneHot(4).times(0.4).plus(dogs.oneHot(4).times(0.6));
      double expected =
          0.4 * x.softmaxCrossEntropy(cats).item() + 0.6 * x.softmaxCrossEntropy(dogs).item();
      assertEquals(expected, x.softmaxCrossEntropy(mixed).item(), 1e-6);
      // A row that begins with a negative target is ignored.
      Tensor first = Tensor.of(device, new float[] {-1, 0, 0, 0, 1}, 5, 1);
      Tensor last = Tensor.of(device, new float[] {0, 1, 1, 1, 0}, 5, 1);
      Tensor ends = first.plus(last).times(mixed.times(0).plus(1));
      assertTrue(Double.isFinite(x.softmaxCrossEntropy(ends).item()));
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void smoothingAndWeights_areAMixtureOfLosses(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      double[] logits = {1, -2, 0.5, 3, 0.3, -1};
      Tensor x = Tensor.of(device, logits, 2, 3);
      Tensor labels = Tensor.of(device, new int[] {1, 0}, 2);
      double[] log = x.logSoftmax().toDoubleArray();
      double plain = -(log[1] + log[3]) / 2;
      double uniform = 0;
      for (double value : log) {
        uniform -= value / 6;
      }
      assertEquals(plain, x.softmaxCrossEntropy(labels).item(), 1e-12);
      assertEquals(
          0.9 * plain + 0.1 * uniform,
          Loss.softmaxCrossEntropy().labelSmoothing(0.1).apply(x, labels).item(),
          1e-12);
      Tensor weights = Tensor.of(device, new double[] {2, 1, 5}, 3);
      assertEquals(
          -(log[1] + 2 * log[3]) / 3,
          Loss.softmaxCrossEntropy().classWeights(weights).apply(x, labels).item(),
          1e-12);
    }
  }

  /// Least squares by gradient descent: targets that are numbers.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainer_takesNumbersAsTargets(Backends backend) {
    float[] x = Pictures.normal(32 * 3, 1);
    float[] y = new float[32];
    for (int i = 0; i < 32; i++) {
      y[i] = 2 * x[3 * i] - x[3 * i + 1] + 0.5f;
    }
    try (Trainer trainer =
        Trainer.of(Net.input(3).dense(1))
            .on(backend.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.sgd(0.2))) {
      for (int step = 0; step < 200; step++) {
        trainer.step(x, y, 0.2);
      }
      assertArrayEquals(new float[] {2, -1, 0}, trainer.model().read("dense0.weight"), 1e-4f);
      assertArrayEquals(new float[] {0.5f}, trainer.model().read("dense0.bias"), 1e-4f);
    }
  }

  /// XOR, which no single layer computes, by a hidden layer of four sigmoids.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainer_learnsXor(Backends backend) {
    float[] x = {0, 0, 0, 1, 1, 0, 1, 1};
    float[] y = {0, 1, 1, 0};
    try (Trainer trainer =
        Trainer.of(Net.input(2).dense(4).sigmoid().dense(1))
            .on(backend.device())
            .loss(Loss.binaryCrossEntropy())
            .optimizer(Optimizer.sgd(1).momentum(0.9))) {
      for (int step = 0; step < 2000; step++) {
        trainer.step(x, y, 1);
      }
      float[] logits = trainer.model().predict(x);
      for (int i = 0; i < 4; i++) {
        assertEquals(y[i], 1 / (1 + Math.exp(-logits[i])), 0.05);
      }
    }
  }

  /// A network that answers for every place of its input: outputs [N, T, C], labels [N, T].
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainer_takesALabelForEachPlace(Backends backend) {
    float[] x = Pictures.normal(2 * 3 * 4, 1);
    int[] labels = {0, 3, -1, 2, 1, 1};
    try (Trainer places = Trainer.of(Net.input(3, 4).layerNorm()).on(backend.device());
        Trainer rows = Trainer.of(Net.input(4).layerNorm()).on(backend.device())) {
      for (int step = 0; step < 3; step++) {
        assertEquals(rows.step(x, labels, 0.1), places.step(x, labels, 0.1));
      }
      float[] distributions = new float[24];
      for (int row = 0; row < 6; row++) {
        distributions[4 * row + 1] = 1;
      }
      refused(
          "[step] this trainer is compiled for targets that are LABELS, found VALUES",
          () -> places.step(x, distributions, 0.1));
    }
  }

  /// Distributions as targets train as the labels that they stand for, counted right answers too.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainer_takesDistributions(Backends backend) {
    float[] x = Pictures.normal(8 * 5, 1);
    int[] labels = Pictures.labels(8, 3, 2);
    float[] hot = new float[24];
    for (int i = 0; i < 8; i++) {
      hot[3 * i + labels[i]] = 1;
    }
    Net net = Net.input(5).dense(3);
    try (Trainer one = Trainer.of(net).on(backend.device());
        Trainer other = Trainer.of(net).on(backend.device())) {
      for (int step = 0; step < 5; step++) {
        assertEquals(one.step(x, labels, 0.1), other.step(x, hot, 0.1), 1e-6);
      }
    }
  }

  @Test
  @SuppressWarnings("NullAway") // that is the fault
  void aLossThatGivesNull_isNamed() {
    Net net = Net.input(2).dense(2);
    try (Trainer trainer =
        Trainer.of(net).on(Backends.REFERENCE.device()).loss((outputs, targets) -> null)) {
      NullPointerException thrown =
          assertThrows(
              NullPointerException.class,
              () -> trainer.step(new float[] {1, 0}, new int[] {0}, 0.1));
      assertEquals("[loss] expected a scalar, found null", thrown.getMessage());
    }
  }

  /// Class weights are constants of the compiled step.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainer_takesClassWeights(Backends backend) {
    Net net = Net.input(2).dense(new Dense(2).initializer(Initializer.zeros()));
    try (Tensor weights = Tensor.of(backend.device(), new float[] {3, 1}, 2);
        Trainer trainer =
            Trainer.of(net)
                .on(backend.device())
                .loss(Loss.softmaxCrossEntropy().classWeights(weights))
                .optimizer(Optimizer.sgd(1))) {
      assertEquals(Math.log(2), trainer.step(new float[] {1, 0, 0, 1}, new int[] {0, 1}, 1), 1e-6);
      // d bias = (3 (p - e0) + (p - e1)) / 4 with p = 1/2.
      assertArrayEquals(new float[] {0.25f, -0.25f}, trainer.model().read("dense0.bias"), 1e-6f);
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    Device device = Backends.REFERENCE.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 1, 2, 3);
      shapeError(
          "[meanSquaredError] expected targets (2, 3), or labels without the last axis, found F32"
              + " (3, 2)",
          () -> Loss.meanSquaredError().apply(x, x.transpose()));
      shapeError(
          "[hinge] expected outputs of at least 2 classes, found (2, 1)",
          () ->
              Loss.hinge()
                  .apply(Tensor.randn(device, 1, 2, 1), Tensor.of(device, new int[] {0, 0}, 2)));
      refused(
          "[huber] expected a delta greater than 0, found 0.0", () -> Loss.huber(0).apply(x, x));
      refused(
          "[binaryCrossEntropy] expected a positive weight greater than 0, found -1.0",
          () -> Loss.binaryCrossEntropy(-1).apply(x, x));
      refused(
          "[softmaxCrossEntropy] expected a label smoothing in [0, 1), found 1.0",
          () -> Loss.softmaxCrossEntropy().labelSmoothing(1));
    }
    try (Trainer trainer = Trainer.of(Net.input(3).dense(2)).on(device)) {
      shapeError(
          "[step] expected 2 targets an input for outputs (2), found 3 in all",
          () -> trainer.step(new float[3], new float[3], 0.1));
    }
  }

  /// A loss of one's own that takes labels for numbers.
  @Test
  void aLossThatDoesNotTakeItsTargets_isToldWhatTheyAre() {
    try (Trainer trainer =
        Trainer.of(Net.input(3).dense(2))
            .on(Backends.REFERENCE.device())
            .loss((outputs, targets) -> outputs.minus(targets).square().mean())) {
      shapeError(
          "[loss] of outputs f32 (1, 2) and targets i32 (1): [subtract] expected a real tensor (f32,"
              + " f64 or bf16), found i32 (1); a loss of numbers takes labels by"
              + " targets.oneHot(classes), or targets that are numbers from the start",
          () -> trainer.step(new float[3], new int[1], 0.1));
    }
  }

  private static double initial(Backends backend, int classes, Loss loss) {
    Net net = Net.input(6).dense(new Dense(classes).initializer(Initializer.zeros()));
    try (Trainer trainer = Trainer.of(net).on(backend.device()).loss(loss)) {
      return trainer.step(Pictures.normal(24, 1), Pictures.labels(4, classes, 1), 0.01);
    }
  }

  private static double softplus(double x) {
    return Math.log1p(Math.exp(x));
  }
}
