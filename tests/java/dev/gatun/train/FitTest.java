package dev.gatun.train;

import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DivergedException;
import dev.gatun.Doctor;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.Empty;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import dev.gatun.data.Standardizer;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a run of [Trainer#fit] does with its data, and what it tells.
class FitTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);
  private static final Net SMALL = Net.input(4, 4, 1).flatten().dense(Pictures.CLASSES);

  /// Too small to change a weight.
  private static final Optimizer STILL = Optimizer.sgd(1e-30);

  /// With a constant rate, one run of two epochs and two of one are the same run.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void fit_inTwoCalls_goesOn(Backends backend) {
    Dataset data = Pictures.noisy(50, TINY, 1, 1);
    Net net = Net.input(4, 4, 1).flatten().dense(8).relu().dropout(0.25).dense(Pictures.CLASSES);
    try (Trainer once = Trainer.of(net).on(backend.device());
        Trainer twice = Trainer.of(net).on(backend.device())) {
      History whole = once.fit(data.batch(10), Span.epochs(2));
      History first = twice.fit(data.batch(10), Span.epochs(1));
      History second = twice.fit(data.batch(10), Span.epochs(1));
      float[] joined = new float[10];
      System.arraycopy(first.losses(), 0, joined, 0, 5);
      System.arraycopy(second.losses(), 0, joined, 5, 5);
      assertArrayEquals(whole.losses(), joined);
      assertEquals(2, second.epochs().getFirst().number());
      for (String name : once.model().parameterNames()) {
        assertArrayEquals(once.model().read(name), twice.model().read(name), name);
      }
    }
  }

  /// Batches of 10 of 37 pictures: the last has 7, and each picture counts once.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void evaluate_isWhatPredictionsGive(Backends backend) {
    Dataset train = Pictures.noisy(200, TINY, 1.5, 1);
    Dataset test = Pictures.noisy(37, TINY, 1.5, 2);
    Net net = Net.input(4, 4, 1).conv(4, 3).batchNorm().relu().flatten().dense(Pictures.CLASSES);
    Standardizer standardizer = Standardizer.fit(train);
    try (Trainer trainer = Trainer.of(net).on(backend.device()).optimizer(Optimizer.sgd(0.05))) {
      History history = trainer.fit(train.batch(20), test.batch(10), Span.epochs(2));
      Evaluation evaluation = Objects.requireNonNull(history.test());
      float[] inputs = new float[37 * 16];
      byte[] pixels = new byte[16];
      for (int i = 0; i < 37; i++) {
        test.read(i, pixels, 0);
        standardizer.apply(pixels, inputs, 16 * i);
      }
      float[] outputs = trainer.model().predict(inputs);
      int right = 0;
      double loss = 0;
      for (int i = 0; i < 37; i++) {
        int best = 0;
        double sum = 0;
        for (int c = 0; c < 10; c++) {
          best = outputs[10 * i + c] > outputs[10 * i + best] ? c : best;
          sum += Math.exp(outputs[10 * i + c]);
        }
        right += best == test.label(i) ? 1 : 0;
        loss += Math.log(sum) - outputs[10 * i + test.label(i)];
      }
      assertEquals(right / 37.0, evaluation.accuracy(), 1e-12);
      assertTrue(right > 5 && right < 37, "a set worth the test: " + right);
      assertEquals(loss / 37, evaluation.loss(), 1e-5);
      assertEquals(37, evaluation.images());
      for (int size : new int[] {1, 37, 100}) {
        Evaluation again = trainer.evaluate(test.batch(size));
        assertEquals(evaluation.accuracy(), again.accuracy(), 1e-12, "batches of " + size);
        assertEquals(evaluation.loss(), again.loss(), 1e-5, "batches of " + size);
      }
    }
  }

  /// More inputs than go into one batch, and a last batch that is not full.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void predictions_doNotDependOnTheirNumber(Backends backend) {
    try (Trainer trainer = Trainer.of(SMALL).on(backend.device())) {
      float[] inputs = Pictures.normal(600 * 16, 1);
      float[] outputs = trainer.model().predict(inputs);
      assertEquals(6000, outputs.length);
      assertEquals(0, trainer.model().predict(new float[0]).length);
      for (int first : new int[] {0, 255, 256, 511, 512, 599}) {
        float[] one =
            trainer.model().predict(Arrays.copyOfRange(inputs, 16 * first, 16 * first + 16));
        assertArrayEquals(Arrays.copyOfRange(outputs, 10 * first, 10 * first + 10), one, 1e-5f);
      }
    }
  }

  @Test
  void fit_tellsWatchersAndHistoryTheSame() {
    Dataset data = Pictures.noisy(45, TINY, 1, 1);
    List<String> events = new ArrayList<>();
    List<Watcher.Step> steps = new ArrayList<>();
    List<History.Epoch> epochs = new ArrayList<>();
    Watcher recorder =
        new Watcher() {
          @Override
          public void start(Start start) {
            events.add(
                "start of %d steps, %d an epoch, batches of %d, %d steps before"
                    .formatted(
                        start.totalSteps(),
                        start.stepsPerEpoch(),
                        start.batchSize(),
                        start.stepsDone() + start.stepsBefore()));
            assertEquals(170, start.model().net().parameterCount());
          }

          @Override
          public void step(Step step) {
            steps.add(step);
            events.add("step " + step.step() + " of epoch " + step.epoch());
          }

          @Override
          public void epoch(History.Epoch epoch) {
            epochs.add(epoch);
            events.add("epoch " + epoch.number());
          }

          @Override
          public void end(History history) {
            events.add("end after " + history.steps());
          }
        };
    try (Trainer trainer =
        Trainer.of(SMALL)
            .on(Backends.REFERENCE.device())
            .schedule(Schedule.cosine())
            .watch(recorder)) {
      History history = trainer.fit(data.batch(20), data.batch(45), Span.steps(3));
      assertEquals(
          List.of(
              "start of 3 steps, 2 an epoch, batches of 20, 0 steps before",
              "step 1 of epoch 1",
              "step 2 of epoch 1",
              "epoch 1",
              "step 3 of epoch 2",
              "epoch 2",
              "end after 3"),
          events);
      assertEquals(epochs, history.epochs());
      float[] losses = history.losses();
      assertEquals(3, losses.length);
      for (int i = 0; i < 3; i++) {
        assertEquals(losses[i], steps.get(i).loss());
        assertEquals(steps.get(i).learningRate(), history.learningRates()[i]);
      }
      History.Epoch first = epochs.getFirst();
      assertEquals(((double) losses[0] + losses[1]) / 2, first.trainLoss(), 1e-12);
      assertEquals(
          (steps.get(0).accuracy() + steps.get(1).accuracy()) / 2, first.trainAccuracy(), 1e-12);
      assertEquals(0.1 * 0.75, first.learningRate(), 1e-12); // of step 1 of 3, from 0
      assertEquals(0.1 * 0.25, epochs.getLast().learningRate(), 1e-12);
      assertEquals(losses[2], epochs.getLast().trainLoss(), 1e-12, "of the one step that it has");
      assertEquals(history.test(), epochs.getLast().test());
      assertTrue(history.stepMillis(0) <= history.stepMillis(0.5));
      assertTrue(history.stepMillis(0.5) <= history.stepMillis(1));
      assertTrue(history.stepMillis(0) > 0 && history.imagesPerSecond() > 0);
      assertNull(trainer.fit(data.batch(20), Span.steps(1)).test());
      assertEquals(0, trainer.fit(data.batch(20), Span.epochs(0)).steps());
    }
  }

  /// The outputs are the inputs here, so that the loss shows them: 255 and 0 become 1 and 0.
  @Test
  void standardize_isWhatTheNetworkSees() {
    byte[] pixels = {(byte) 255, 0, 0, 0};
    Dataset data = MemoryDataset.of("four", new ImageShape(1, 1, 1), pixels, new int[4]);
    try (Trainer scaled =
            Trainer.of(Net.input(1, 1, 1).flatten())
                .on(Backends.REFERENCE.device())
                .preprocess(Standardizer.scale(1))
                .loss((outputs, labels) -> outputs.sum());
        Trainer standardised =
            Trainer.of(Net.input(1, 1, 1).flatten())
                .on(Backends.REFERENCE.device())
                .loss((outputs, labels) -> outputs.square().mean())) {
      assertEquals(1, scaled.fit(data.batch(4), Span.steps(1)).losses()[0]);
      assertEquals(1, scaled.evaluate(data.batch(4)).loss());
      assertEquals(1, standardised.fit(data.batch(4), Span.steps(1)).losses()[0], 1e-6);
      assertEquals(1, standardised.evaluate(data.batch(4)).loss(), 1e-6);
    }
  }

  /// With weights that stay, the losses of two epochs have the same mean over the same pictures,
  /// but no batch comes twice.
  @Test
  void everyEpoch_hasItsOwnOrder() {
    Dataset data = Pictures.noisy(60, TINY, 1, 1);
    try (Trainer trainer = Trainer.of(SMALL).on(Backends.REFERENCE.device()).optimizer(STILL)) {
      History history = trainer.fit(data.batch(10), Span.epochs(3));
      Set<Float> batches = new HashSet<>();
      for (float loss : history.losses()) {
        batches.add(loss);
      }
      assertEquals(18, batches.size());
      for (History.Epoch epoch : history.epochs()) {
        assertEquals(history.epochs().getFirst().trainLoss(), epoch.trainLoss(), 1e-5);
      }
    }
  }

  /// The weights are the same here, so that only the order differs.
  @Test
  void everySeed_hasItsOwnOrder() {
    Dataset data = Pictures.noisy(60, TINY, 1, 1);
    assertArrayEquals(still(data, 1), still(data, 1));
    assertFalse(Arrays.equals(still(data, 1), still(data, 2)));
  }

  /// The pictures are all the same and the weights stay, so that only the masks differ: at every
  /// step, in the second run too.
  @Test
  void everyStep_hasItsOwnMasks() {
    Dataset data = MemoryDataset.of("same", new ImageShape(1, 1, 1), new byte[8], new int[8]);
    Net net = Net.input(1, 1, 1).flatten().dense(64).dropout(0.5).dense(2);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.REFERENCE.device())
            .optimizer(STILL)
            .preprocess(Standardizer.of(new double[] {1}, new double[] {1}))) {
      Set<Float> losses = new HashSet<>();
      for (int run = 0; run < 2; run++) {
        for (float loss : trainer.fit(data.batch(4), Span.epochs(5)).losses()) {
          losses.add(loss);
        }
      }
      assertEquals(20, losses.size());
    }
  }

  /// Training pictures are changed, test pictures are not.
  @Test
  void augmentation_changesTrainingOnly() {
    Dataset data = Pictures.noisy(60, TINY, 1, 1);
    Augmentation[] shift = {Augmentation.pad(1), Augmentation.randomCrop(4, 4)};
    try (Trainer plain = Trainer.of(SMALL).on(Backends.REFERENCE.device()).optimizer(STILL);
        Trainer shifting =
            Trainer.of(SMALL).on(Backends.REFERENCE.device()).optimizer(STILL).augment(shift)) {
      History a = plain.fit(data.batch(60), data.batch(60), Span.epochs(1));
      History b = shifting.fit(data.batch(60), data.batch(60), Span.epochs(1));
      assertNotEquals(a.losses()[0], b.losses()[0]);
      assertEquals(
          Objects.requireNonNull(a.test()).loss(), Objects.requireNonNull(b.test()).loss());
      assertEquals(a.losses()[0], Objects.requireNonNull(a.test()).loss(), 1e-5);
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void divergence_isExplained(Backends backend) {
    Dataset data = Pictures.noisy(40, TINY, 1, 1);
    Net deep = Net.input(4, 4, 1).flatten().dense(8).relu().dense(Pictures.CLASSES);
    try (Trainer trainer = Trainer.of(deep).on(backend.device()).optimizer(Optimizer.sgd(1e30))) {
      String message =
          message(DivergedException.class, () -> trainer.fit(data.batch(10), Span.epochs(1)));
      assertTrue(
          message.matches(
              "the loss became (NaN|Infinity) at step 2 with learning rate 1\\.00e\\+30; the"
                  + " training loss before was \\d\\.\\d+\\. The first tensor that is not finite is"
                  + " dense0\\.weight\\. Usual causes: a learning rate that is too high \\(try a"
                  + " tenth, or a warm-up\\), no clipping \\(try clipNorm\\(1\\)\\), or inputs that"
                  + " are not standardised\\. Doctor\\.of\\(trainer, batches\\)\\.examine\\(\\)"
                  + " finds where it begins"),
          message);
    }
  }

  @Test
  void divergence_atTheFirstStep_isExplained() {
    Dataset data = Pictures.noisy(40, TINY, 1, 1);
    Net broken =
        Net.input(4, 4, 1)
            .flatten()
            .dense(new Dense(Pictures.CLASSES).initializer(Initializer.constant(Double.NaN)));
    try (Trainer trainer = Trainer.of(broken).on(Backends.REFERENCE.device())) {
      String message =
          message(DivergedException.class, () -> trainer.fit(data.batch(10), Span.epochs(1)));
      assertTrue(
          message.startsWith(
              "the loss became NaN at step 1 with learning rate 0.100; it was the first step."),
          message);
    }
  }

  /// The last step of a run can ruin a model whose training losses are all finite.
  @Test
  void divergence_inTheLastStep_isFoundByTheTest() {
    Dataset data = Pictures.noisy(40, TINY, 1, 1);
    Net deep = Net.input(4, 4, 1).flatten().dense(8).relu().dense(Pictures.CLASSES);
    try (Trainer trainer =
        Trainer.of(deep).on(Backends.REFERENCE.device()).optimizer(Optimizer.sgd(1e30))) {
      String message =
          message(
              DivergedException.class,
              () -> trainer.fit(data.batch(10), data.batch(40), Span.steps(1)));
      assertTrue(message.startsWith("the test loss became NaN at step 1 with"), message);
    }
  }

  private static float[] still(Dataset data, long seed) {
    try (Trainer trainer =
        Trainer.of(SMALL).on(Backends.REFERENCE.device()).optimizer(STILL).seed(seed)) {
      trainer.model().write("dense0.weight", Pictures.normal(160, 1));
      return trainer.fit(data.batch(20), Span.epochs(1)).losses();
    }
  }

  /// One label cannot be compared with outputs for every place, as when flatten() was forgotten.
  @Test
  void answersForEveryPlace_areRefused() {
    Dataset data = Pictures.noisy(40, TINY, 1, 1);
    Net forgetful = Net.input(4, 4, 1).conv(Pictures.CLASSES, 3);
    String expected =
        " the network has outputs (4, 4, 10), the pictures of noisy pictures one label each; put"
            + " flatten() or globalAveragePool() before its last layer";
    try (Trainer trainer =
            Trainer.of(forgetful)
                .on(Backends.REFERENCE.device())
                .preprocess(Standardizer.scale(1));
        Trainer resident = Trainer.of(forgetful).on(Backends.REFERENCE.device()).resident()) {
      shapeError("[fit]" + expected, () -> trainer.fit(data.batch(10), Span.epochs(1)));
      shapeError("[fit]" + expected, () -> resident.fit(data.batch(10), Span.epochs(1)));
      shapeError("[evaluate]" + expected, () -> trainer.evaluate(data.batch(10)));
      shapeError("[doctor]" + expected, () -> Doctor.of(trainer, data.batch(10)));
    }
  }

  /// Before an epoch is trained for nothing.
  @Test
  void aTestSetWithoutPictures_isRefused() {
    Dataset data = Pictures.noisy(40, TINY, 1, 1);
    Dataset empty = new Empty(data);
    try (Trainer trainer =
        Trainer.of(SMALL).on(Backends.REFERENCE.device()).preprocess(Standardizer.scale(1))) {
      String none = " " + data.name() + " has no images";
      Span epoch = Span.epochs(1);
      refused("[fit]" + none, () -> trainer.fit(data.batch(10), empty.batch(10), epoch));
      refused("[evaluate]" + none, () -> trainer.evaluate(empty.batch(10)));
    }
  }

  /// Two classes, by hand: a picture's only pixel is the logit.
  @Test
  void picturesOfTwoClasses_areToldApartByASingleOutput() {
    byte[] pixels = {0, 50, (byte) 200, (byte) 255, 10, (byte) 180};
    Dataset data =
        MemoryDataset.of("two", new ImageShape(1, 1, 1), pixels, new int[] {0, 1, 1, 1, 0, 0});
    Net net = Net.input(1, 1, 1).flatten().dense(1);
    try (Trainer trainer =
            Trainer.of(net)
                .on(Backends.REFERENCE.device())
                .loss(Loss.binaryCrossEntropy())
                .preprocess(Standardizer.of(new double[] {0.5}, new double[] {1}));
        Trainer many =
            Trainer.of(Net.input(4, 4, 1).flatten().dense(1))
                .on(Backends.REFERENCE.device())
                .loss(Loss.binaryCrossEntropy())) {
      trainer.model().write("dense0.weight", new float[] {1});
      assertEquals(4 / 6.0, trainer.evaluate(data.batch(4)).accuracy());
      shapeError(
          "[fit] the network tells 2 classes apart, noisy pictures has 10",
          () -> many.fit(Pictures.noisy(40, TINY, 1, 1).batch(10), Span.epochs(1)));
    }
  }
}
