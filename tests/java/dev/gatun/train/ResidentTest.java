package dev.gatun.train;

import static dev.gatun.train.Messages.message;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Mixing;
import dev.gatun.data.Relabelled;
import dev.gatun.data.Samples;
import dev.gatun.suite.Backends;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Training sets in the device's memory: a run is what the loader's batches make it, bit for bit.
class ResidentTest {
  private static final ImageShape IMAGE = new ImageShape(6, 6, 3);
  private static final Dataset DATA = Pictures.noisy(45, IMAGE, 1, 1);
  private static final Net NET =
      Net.input(6, 6, 3).conv(4, 3).batchNorm().relu().flatten().dropout(0.2).dense(10);
  private static final Augmentation[] CHANGES = {
    Augmentation.pad(2),
    Augmentation.randomCrop(6, 6),
    Augmentation.flipHorizontal(),
    Augmentation.cutout(3)
  };

  @ParameterizedTest
  @EnumSource(Backends.class)
  void resident_isTheRunOfTheLoader(Backends backend) {
    expectSameRun(backend.device(), trainer -> trainer);
    expectSameRun(backend.device(), trainer -> trainer.augment(CHANGES));
    expectSameRun(
        backend.device(),
        trainer ->
            trainer
                .augment(Augmentation.flipHorizontal(), new Augmentation.Cutout(2, 127))
                .accumulate(2)
                .precision(Precision.BF16));
  }

  /// On the emulated GPU, unless there is another one.
  @Test
  void resident_onCuda_isTheRunOfTheLoader() {
    Backends.requireNative();
    try (Device cuda = Device.cuda(0)) {
      expectSameRun(cuda, trainer -> trainer.augment(CHANGES));
    }
  }

  @Test
  void aLabelOutsideTheClasses_isNamed() {
    try (Trainer trainer = trainer(Backends.REFERENCE.device()).resident()) {
      assertEquals(
          "[resident] label 10 of image 7 of %s is none of its 10 classes".formatted(DATA.name()),
          message(
              IllegalArgumentException.class,
              () -> trainer.fit(new Relabelled(DATA, 7, 10).batch(10), Span.epochs(1))));
    }
  }

  /// Two epochs, and one more of another order by a second call.
  private static void expectSameRun(Device device, UnaryOperator<Trainer> configuration) {
    try (Trainer plain = configuration.apply(trainer(device));
        Trainer resident = configuration.apply(trainer(device)).resident()) {
      for (int epochs = 2; epochs > 0; epochs--) {
        History expected = plain.fit(DATA.batch(10), Span.epochs(epochs));
        History found = resident.fit(DATA.batch(10), Span.epochs(epochs));
        assertArrayEquals(expected.losses(), found.losses());
      }
      for (String name : plain.model().parameterNames()) {
        assertArrayEquals(plain.model().read(name), resident.model().read(name), name);
      }
    }
  }

  private static Trainer trainer(Device device) {
    return Trainer.of(NET).on(device).optimizer(Optimizer.sgd(0.05).momentum(0.9)).seed(3);
  }

  /// The test would not notice if nothing were changed at all.
  @Test
  void augmentation_changesTheRun() {
    try (Trainer plain = trainer(Backends.REFERENCE.device()).resident();
        Trainer changed = trainer(Backends.REFERENCE.device()).augment(CHANGES).resident()) {
      assertNotEquals(
          plain.fit(DATA.batch(10), Span.steps(1)).losses()[0],
          changed.fit(DATA.batch(10), Span.steps(1)).losses()[0]);
    }
  }

  @Test
  void resident_refusesWhatTheDeviceCannotDo() {
    expectRefusal(
        "changed by pad, randomCrop, flipHorizontal and cutout, each once and in this order",
        trainer -> trainer.augment(Augmentation.flipHorizontal(), Augmentation.pad(1)),
        Net.input(8, 8, 3).flatten().dense(10));
    expectRefusal(
        "changed by pad, randomCrop, flipHorizontal and cutout",
        trainer -> trainer.augment(Augmentation.brightness(0.1)),
        NET);
    expectRefusal("cannot be mixed", trainer -> trainer.mix(Mixing.mixup(1)), NET);
    expectRefusal(
        "can be standardised per channel, found scaler",
        trainer -> trainer.preprocess(FeatureScaler.center(Samples.of(DATA))),
        NET);
  }

  private static void expectRefusal(
      String expected, UnaryOperator<Trainer> configuration, Net net) {
    try (Trainer trainer =
        configuration.apply(Trainer.of(net).on(Backends.REFERENCE.device())).resident()) {
      String found =
          message(IllegalArgumentException.class, () -> trainer.fit(DATA.batch(10), Span.steps(1)));
      assertTrue(found.contains(expected), found);
    }
  }

  @Test
  void resident_trainsOnOneSetByFitAlone() {
    try (Trainer trainer = trainer(Backends.REFERENCE.device()).resident()) {
      trainer.fit(DATA.batch(10), Span.steps(1));
      Dataset other = DATA.take(20);
      String found =
          message(
              IllegalArgumentException.class, () -> trainer.fit(other.batch(10), Span.steps(1)));
      assertTrue(found.contains("found another set"), found);
      String step =
          message(
              IllegalStateException.class,
              () -> trainer.step(new float[10 * IMAGE.elements()], new int[10], 0.1));
      assertTrue(step.contains("train it by fit"), step);
    }
  }

  /// As without [Trainer#resident], where the loader says so.
  @Test
  void fewerPicturesThanABatch_areRefused() {
    try (Trainer trainer = trainer(Backends.REFERENCE.device()).resident()) {
      String expected =
          "[resident] noisy pictures has 20 images, fewer than one batch of 21, and incomplete"
              + " batches are dropped";
      Dataset few = DATA.take(20);
      Messages.refused(expected, () -> trainer.fit(few.batch(21), Span.epochs(1)));
      Messages.refused(expected, () -> trainer.fit(few.batch(21), Span.steps(1)));
    }
  }
}
