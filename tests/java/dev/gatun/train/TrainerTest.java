package dev.gatun.train;

import static dev.gatun.train.Messages.illegalState;
import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.History;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.data.Batches;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Standardizer;
import dev.gatun.suite.Backends;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainerTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);
  private static final Net SMALL = Net.input(4, 4, 1).flatten().dense(Pictures.CLASSES);

  /// A head of zeros gives every class the same chance.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void initialLoss_ofAZeroHead_isLnC(Backends backend) {
    for (int classes : new int[] {2, 10, 1000}) {
      Net net =
          Net.input(6, 6, 3)
              .conv(4, 3)
              .batchNorm()
              .relu()
              .flatten()
              .dense(new Dense(classes).initializer(Initializer.zeros()));
      try (Trainer trainer = Trainer.of(net).on(backend.device())) {
        float loss =
            trainer.step(Pictures.normal(4 * 108, 1), Pictures.labels(4, classes, 1), 0.01);
        assertEquals(Math.log(classes), loss, 1e-6 * Math.log(classes));
      }
    }
  }

  /// The ResNets' heads start so that the loss is not far from that.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void initialLoss_ofAResNet_isNearLnC(Backends backend) {
    try (Trainer trainer = Trainer.of(ResNet.cifar(8, 10)).on(backend.device())) {
      float loss = trainer.step(Pictures.normal(8 * 3072, 1), Pictures.labels(8, 10, 1), 0.01);
      assertEquals(Math.log(10), loss, 0.75);
    }
  }

  /// Mean squared distance to targets of one's own, which no built-in loss knows.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aLossOfOnesOwn_isMadeSmall(Backends backend) {
    Device device = backend.device();
    float[] inputs = Pictures.normal(8 * 3, 1);
    float[] targets = Pictures.normal(8 * 2, 2);
    int[] labels = new int[8];
    Net net = Net.input(3).dense(new Dense(2).initializer(Initializer.zeros()));
    double expected = 0;
    for (float target : targets) {
      expected += (double) target * target / targets.length;
    }
    try (Tensor wanted = Tensor.of(device, targets, 8, 2)) {
      Loss squaredDistance = (outputs, ignored) -> outputs.minus(wanted).square().mean();
      try (Trainer trainer =
          Trainer.of(net)
              .on(device)
              .loss(squaredDistance)
              .optimizer(Optimizer.sgd(1).momentum(0.5))) {
        float first = trainer.step(inputs, labels, 0.2);
        assertEquals(expected, first, 1e-5);
        float last = first;
        for (int i = 0; i < 200; i++) {
          last = trainer.step(inputs, labels, 0.2);
        }
        assertTrue(last < 0.8 * first, first + " to " + last);
        for (int row = 0; row < 4; row++) { // the normal equations: X'(XW + b - T) = 0
          assertEquals(0, residual(trainer, inputs, targets, row), 1e-4, "row " + row);
        }
      }
    }
  }

  /// What counts as right is the greatest output, whatever the loss makes of them.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aLossOfOnesOwn_leavesTheAccuracy(Backends backend) {
    Dataset data = Pictures.noisy(40, TINY, 0.1, 1);
    Loss contrary = (outputs, labels) -> outputs.negate().softmaxCrossEntropy(labels).times(2);
    try (Trainer trainer = Trainer.of(SMALL).on(backend.device()).loss(contrary)) {
      History history = trainer.fit(data.batch(40), data.batch(40), Span.epochs(40));
      assertTrue(history.losses()[39] < 0.5 * history.losses()[0], "it learns");
      assertEquals(0, Objects.requireNonNull(history.test()).accuracy(), "the contrary");
    }
  }

  @Test
  void losses_thatAreNone_areRefused() {
    Device device = Backends.REFERENCE.device();
    try (Trainer vector =
            Trainer.of(Net.input(3).dense(2)).on(device).loss((outputs, labels) -> outputs);
        Trainer deep = Trainer.of(Net.input(3, 3)).on(device)) {
      shapeError(
          "[loss] expected a scalar, found f32 (1, 2); reduce it by mean()",
          () -> vector.step(new float[3], new int[1], 0.1));
      shapeError(
          "[step] expected 3 labels an input for outputs (3, 3), found 1 in all",
          () -> deep.step(new float[9], new int[1], 0.1));
    }
  }

  @Test
  void step_refusesWhatDoesNotFit() {
    Device device = Backends.REFERENCE.device();
    try (Trainer trainer = Trainer.of(Net.input(3).dense(2)).on(device)) {
      shapeError(
          "[step] expected 2 inputs (3) (6 elements), found 4 elements",
          () -> trainer.step(new float[4], new int[2], 0.1));
      shapeError(
          "[step] expected at least one input, found none",
          () -> trainer.step(new float[0], new int[0], 0.1));
      refused(
          "[step] expected labels below 2, found 7 for input 1",
          () -> trainer.step(new float[6], new int[] {0, 7}, 0.1));
      refused(
          "[step] expected a finite learning rate, found NaN",
          () -> trainer.step(new float[6], new int[2], Double.NaN));
      trainer.step(new float[6], new int[2], 0.1);
      refused(
          "[step] this trainer is compiled for batches of 2, found 1",
          () -> trainer.step(new float[3], new int[1], 0.1));
    }
  }

  @Test
  void fit_refusesWhatDoesNotFit() {
    Device device = Backends.REFERENCE.device();
    Batches data = Pictures.noisy(40, TINY, 1, 1).batch(10);
    Batches test = Pictures.noisy(40, new ImageShape(5, 4, 1), 1, 1).batch(10);
    try (Trainer trainer = Trainer.of(SMALL).on(device);
        Trainer wide = Trainer.of(Net.input(4, 5, 1).flatten().dense(10)).on(device);
        Trainer narrow = Trainer.of(Net.input(4, 4, 1).flatten().dense(9)).on(device)) {
      shapeError(
          "[fit] the network expects inputs (4, 5, 1), the pictures of noisy pictures are"
              + " (4, 4, 1)",
          () -> wide.fit(data, Span.epochs(1)));
      shapeError(
          "[fit] the network expects inputs (4, 4, 1), the pictures of noisy pictures are"
              + " (5, 4, 1)",
          () -> trainer.fit(data, test, Span.epochs(1)));
      shapeError(
          "[fit] the network tells 9 classes apart, noisy pictures has 10",
          () -> narrow.fit(data, Span.epochs(1)));
      illegalState(
          "[evaluate] the pictures' preprocessing is not known: call fit first, or"
              + " preprocess(...)",
          () -> trainer.evaluate(data));
      trainer.preprocess(Standardizer.scale(1));
      shapeError(
          "[evaluate] the network expects inputs (4, 4, 1), the pictures of noisy pictures are"
              + " (5, 4, 1)",
          () -> trainer.evaluate(test));
      refused(
          "[loader] noisy pictures has 40 images, fewer than one batch of 41, and incomplete"
              + " batches are dropped",
          () -> trainer.fit(data.dataset().batch(41), Span.epochs(1)));
    }
  }

  /// What is chosen after the model exists could not have its effect.
  @Test
  void configuration_isFixedOnceTheModelExists() {
    Device device = Backends.REFERENCE.device();
    try (Trainer trainer = Trainer.of(SMALL).on(device)) {
      trainer.seed(3);
      trainer.model();
      for (Executable change :
          List.<Executable>of(
              () -> trainer.seed(4),
              () -> trainer.on(device),
              () -> trainer.optimizer(Optimizer.sgd(1)),
              () -> trainer.clipNorm(1),
              () -> trainer.loss(Loss.softmaxCrossEntropy()),
              () -> trainer.preprocess(Standardizer.scale(1)))) {
        illegalState("the trainer has made its model already; its configuration is fixed", change);
      }
    }
  }

  private static double residual(Trainer trainer, float[] inputs, float[] targets, int row) {
    float[] outputs = trainer.model().predict(inputs);
    double sum = 0;
    for (int n = 0; n < 8; n++) {
      double x = row < 3 ? inputs[3 * n + row] : 1;
      sum += x * (outputs[2 * n] - targets[2 * n]);
    }
    return sum;
  }
}
