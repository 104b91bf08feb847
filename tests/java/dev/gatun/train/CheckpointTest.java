package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Averaging;
import dev.gatun.DType;
import dev.gatun.DivergedException;
import dev.gatun.EarlyStopping;
import dev.gatun.History;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.Schedule;
import dev.gatun.Shape;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Augmentation;
import dev.gatun.data.DataFormatException;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Text;
import dev.gatun.file.SafeTensorsWriter;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A run that was interrupted and goes on gives, to the last bit, what it would have given.
class CheckpointTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);
  private static final Dataset TRAIN = Pictures.noisy(60, TINY, 1, 1);
  private static final Dataset TEST = Pictures.noisy(40, TINY, 1, 2);
  private static final Net NET =
      Net.input(4, 4, 1).conv(3, 3).batchNorm().relu().flatten().dropout(0.3).dense(10);
  private static final Net SMALL = Net.input(4, 4, 1).flatten().dense(10);

  @TempDir Path folder;

  /// As when a machine is switched off.
  private static final class PowerCut extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  private interface Fit {
    History run(Trainer trainer, Span length);
  }

  private static Watcher cutAfter(long step) {
    return new Watcher() {
      @Override
      public void step(Step done) {
        if (done.step() == step) {
          throw new PowerCut();
        }
      }
    };
  }

  /// The run without an interruption, and the same with checkpoints every `every`, cut after step
  /// `cut`: losses, norms, epochs, every tensor, and a second run behind it must agree.
  private void goesOn(Supplier<Trainer> trainers, Fit fit, Span length, Span every, long cut) {
    Path file = folder.resolve("run");
    try (Trainer whole = trainers.get();
        Trainer cutOff = trainers.get().checkpoint(file, every).watch(cutAfter(cut));
        Trainer resumed = trainers.get().resume(file)) {
      History expected = fit.run(whole, length);
      assertThrows(PowerCut.class, () -> fit.run(cutOff, length));
      History found = fit.run(resumed, length);
      same(expected, found, whole, resumed);
      same(fit.run(whole, steps(3)), fit.run(resumed, steps(3)), whole, resumed);
    }
  }

  private static void same(History expected, History found, Trainer whole, Trainer resumed) {
    assertArrayEquals(expected.losses(), found.losses());
    assertArrayEquals(expected.learningRates(), found.learningRates());
    assertArrayEquals(expected.gradientNorms(), found.gradientNorms());
    assertEquals(withoutTimes(expected), withoutTimes(found));
    assertEquals(expected.stoppedEarly(), found.stoppedEarly());
    same(whole.model(), resumed.model());
  }

  private static void same(Model expected, Model found) {
    for (List<String> names : List.of(expected.parameterNames(), expected.stateNames())) {
      for (String name : names) {
        assertArrayEquals(expected.read(name), found.read(name), name);
      }
    }
  }

  private static List<List<Object>> withoutTimes(History history) {
    return history.epochs().stream()
        .map(
            e ->
                List.<Object>of(
                    e.number(),
                    e.trainLoss(),
                    e.trainAccuracy(),
                    e.learningRate(),
                    e.test() == null
                        ? "untested"
                        : List.of(e.test().loss(), e.test().accuracy(), e.test().images())))
        .toList();
  }

  private static History tested(Trainer trainer, Span length) {
    return trainer.fit(TRAIN.batch(10), TEST.batch(20), length);
  }

  private static History untested(Trainer trainer, Span length) {
    return trainer.fit(TRAIN.batch(10), length);
  }

  /// Momentum, batch norm's statistics, dropout, augmentation and a schedule; cut in the middle of
  /// an epoch, at its end, in the first one, and in the last.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void interruptedRuns_goOn(Backends backend) {
    Supplier<Trainer> trainers =
        () ->
            Trainer.of(NET)
                .on(backend.device())
                .optimizer(Optimizer.sgd(0.05).momentum(0.9))
                .schedule(Schedule.cosine().warmup(steps(4)))
                .augment(Augmentation.pad(1), Augmentation.randomCrop(4, 4));
    goesOn(trainers, CheckpointTest::tested, epochs(3), steps(1), 8);
    goesOn(trainers, CheckpointTest::tested, epochs(3), steps(5), 8);
    goesOn(trainers, CheckpointTest::untested, epochs(3), epochs(1), 13);
    goesOn(trainers, CheckpointTest::untested, steps(16), steps(2), 3);
    goesOn(trainers, CheckpointTest::tested, steps(16), epochs(0.5), 16);
  }

  /// All else that goes on from step to step: Adam's two states and its count, sums of gradients,
  /// averages, the plateau's memory, the best weights, several loader threads.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void everythingThatIsKept_goesOn(Backends backend) {
    Supplier<Trainer> trainers =
        () ->
            Trainer.of(NET)
                .on(backend.device())
                .optimizer(Optimizer.nAdam(0.02))
                .accumulate(2)
                .clipNorm(1)
                .average(Averaging.exponential(0.9))
                .schedule(Schedule.reduceOnPlateau(0.5).patience(0).threshold(0.3))
                .stopEarly(EarlyStopping.patience(3).restoreBest())
                .seed(7)
                .loaderThreads(2);
    goesOn(trainers, CheckpointTest::tested, epochs(9), steps(1), 7);
    goesOn(trainers, CheckpointTest::tested, epochs(9), steps(1), 15); // within the fifth epoch
    goesOn(trainers, CheckpointTest::tested, epochs(9), epochs(2), 16);
  }

  /// In BF16 parameters are F32 all the same.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void runsInBf16_goOn(Backends backend) {
    Supplier<Trainer> trainers =
        () ->
            Trainer.of(NET)
                .on(backend.device())
                .precision(Precision.BF16)
                .optimizer(Optimizer.rmsProp(0.002).momentum(0.9));
    goesOn(trainers, CheckpointTest::tested, epochs(2), steps(4), 9);
  }

  /// Texts: the streams' states are carried from batch to batch.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void carriedStates_goOn(Backends backend) {
    Text text = Text.of("the quick brown fox jumps over the lazy dog. ".repeat(12));
    int characters = text.alphabet().size();
    Net net = Net.tokens(5).embedding(characters, 4).lstm(6).dense(characters);
    Supplier<Trainer> trainers =
        () -> Trainer.of(net).on(backend.device()).optimizer(Optimizer.adam(0.02)).carryStates();
    goesOn(
        trainers,
        (trainer, length) -> trainer.fit(text.batches(6, 5), length),
        steps(30),
        steps(4),
        22);
  }

  /// A training loop of one's own, cut between the batches of a step.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void loopsOfOnesOwn_goOn(Backends backend) throws IOException {
    Supplier<Trainer> trainers =
        () ->
            Trainer.of(NET)
                .on(backend.device())
                .optimizer(Optimizer.amsGrad(0.01))
                .accumulate(3)
                .average(Averaging.stochastic(steps(1), steps(1)));
    Path file = folder.resolve("loop");
    try (Trainer whole = trainers.get();
        Trainer resumed = trainers.get().resume(file)) {
      for (int i = 0; i < 14; i++) {
        whole.step(Pictures.normal(160, i), Pictures.labels(10, 10, i), 0.01);
        if (i == 6) {
          whole.saveCheckpoint(file);
        }
      }
      for (int i = 7; i < 14; i++) {
        resumed.step(Pictures.normal(160, i), Pictures.labels(10, 10, i), 0.01);
      }
      same(whole.model(), resumed.model());
      same(whole.averaged(), resumed.averaged());
    }
  }

  /// A watcher writes whenever it likes, at the last step of an epoch before its evaluation too.
  @Test
  void watchers_writeCheckpoints() {
    for (int at : new int[] {6, 7}) {
      Path file = folder.resolve("watched" + at);
      try (Trainer whole = Trainer.of(NET).on(Backends.REFERENCE.device());
          Trainer resumed = Trainer.of(NET).on(Backends.REFERENCE.device()).resume(file)) {
        whole.watch(
            new Watcher() {
              @Override
              public void step(Step step) {
                if (step.step() == at) {
                  try {
                    whole.saveCheckpoint(file);
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                }
              }
            });
        History expected = tested(whole, epochs(2));
        same(expected, tested(resumed, epochs(2)), whole, resumed);
      }
    }
  }

  /// The file at the end is a beginning: a longer run goes on from it, as one that was longer from
  /// the start. What it holds is a model's file too.
  @Test
  void aFinishedRun_canBecomeLonger() {
    Path file = folder.resolve("finished");
    try (Trainer whole = Trainer.of(NET).on(Backends.REFERENCE.device());
        Trainer first = Trainer.of(NET).on(Backends.REFERENCE.device());
        Trainer second = Trainer.of(NET).on(Backends.REFERENCE.device()).resume(file)) {
      History expected = tested(whole, epochs(3));
      tested(first.checkpoint(file, epochs(100)), epochs(2));
      assertEquals(first.evaluate(TEST.batch(20)).loss(), second.evaluate(TEST.batch(20)).loss());
      try (Model model = Model.load(NET, Backends.REFERENCE.device(), file)) {
        same(first.model(), model);
        assertEquals(values(first.model()), values(model));
      }
      same(expected, tested(second, epochs(3)), whole, second);
    }
  }

  /// A run that has nothing left to do reports what was done, with its durations.
  @Test
  void aFinishedRun_reportsItself() {
    Path file = folder.resolve("reported");
    try (Trainer first = adam().clipNorm(1).checkpoint(file, epochs(100));
        Trainer second = adam().clipNorm(1).resume(file)) {
      History expected = tested(first, epochs(2));
      History found = tested(second, epochs(2));
      assertEquals(expected.epochs(), found.epochs());
      assertArrayEquals(expected.losses(), found.losses());
      assertArrayEquals(expected.gradientNorms(), found.gradientNorms());
      assertEquals(expected.imagesPerSecond(), found.imagesPerSecond());
      for (double share : new double[] {0, 0.5, 1}) {
        assertEquals(expected.stepMillis(share), found.stepMillis(share));
      }
    }
  }

  private static List<List<Double>> values(Model model) {
    return Objects.requireNonNull(model.preprocessing()).values().values().stream()
        .map(values -> Arrays.stream(values).boxed().toList())
        .toList();
  }

  /// Weights that are ruined do not replace good ones.
  @Test
  void ruinedNumbers_areNotWritten() {
    Path file = folder.resolve("good");
    Net deep = Net.input(4, 4, 1).flatten().dense(8).relu().dense(10);
    try (Trainer trainer =
        Trainer.of(deep)
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(1e30))
            .checkpoint(file, steps(1))) {
      assertThrows(DivergedException.class, () -> untested(trainer, epochs(1)));
    }
    try (Model model = Model.load(deep, Backends.REFERENCE.device(), file)) {
      for (String name : model.parameterNames()) {
        for (float element : model.read(name)) {
          assertTrue(Float.isFinite(element), name);
        }
      }
    }
  }

  /// A write that fails leaves the old file as it was.
  @Test
  void aFailedWrite_keepsTheOldFile() throws IOException {
    Path file = folder.resolve("kept");
    try (Trainer trainer = Trainer.of(SMALL).on(Backends.REFERENCE.device())) {
      untested(trainer, steps(1));
      trainer.saveCheckpoint(file);
      byte[] before = Files.readAllBytes(file);
      SafeTensorsWriter.Source lost =
          new SafeTensorsWriter.Source(
              "lost",
              DType.F32,
              Shape.of(2),
              () -> {
                throw new IllegalStateException("in the middle");
              });
      assertThrows(
          IllegalStateException.class,
          () -> SafeTensorsWriter.write(file, Map.of(), List.of(lost)));
      assertArrayEquals(before, Files.readAllBytes(file));
      Path longest = Files.write(folder.resolve("k".repeat(250)), before); // no part has room
      assertThrows(IOException.class, () -> trainer.saveCheckpoint(longest));
      assertArrayEquals(before, Files.readAllBytes(longest));
      try (Stream<Path> files = Files.list(folder)) {
        assertEquals(Set.of(file, longest), files.collect(Collectors.toSet()));
      }
    }
  }

  /// What does not fit is refused with its reason.
  @Test
  void otherTrainings_areRefused() throws IOException {
    Path file = folder.resolve("other");
    try (Trainer trainer = adam()) {
      untested(trainer, epochs(1));
      trainer.saveCheckpoint(file);
    }
    says("seed 5, the trainer's, expected, found 1", () -> adam().seed(5).resume(file));
    says(
        "tensor dense1.weight: F32 (10, 10) expected, found none",
        () -> Trainer.of(SMALL.dense(10)).resume(file));
    says(
        "tensor dense0.weight: F32 (9, 16) expected, found (10, 16)",
        () -> Trainer.of(Net.input(4, 4, 1).flatten().dense(9).dense(10)).resume(file));
    says(
        "the tensors of the trainer expected, found also [dense0.weight, dense0.bias]",
        () -> Trainer.of(Net.input(4, 4, 1).flatten()).resume(file));
    says(
        "the tensors of the trainer expected, found also [__optimizer0__.dense0.weight",
        () -> Trainer.of(SMALL).optimizer(Optimizer.sgd(0.1)).resume(file));
    says(
        "tensor __optimizer2__.dense0.weight: F32 (10, 16) expected, found none",
        () -> Trainer.of(SMALL).optimizer(Optimizer.amsGrad(0.1)).resume(file));
    says("a safetensors file expected, found nothing", () -> adam().resume(folder.resolve("no")));
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {0, 7, 100, bytes.length / 2, bytes.length - 1}) {
      Path torn = Files.write(folder.resolve("torn"), Arrays.copyOf(bytes, length));
      says("", () -> adam().resume(torn));
    }
    try (Trainer trainer = adam()) {
      trainer.model().save(folder.resolve("model"));
    }
    says(
        "a checkpoint of a trainer expected, with seed in it",
        () -> adam().resume(folder.resolve("model")));
    Path averaged = folder.resolve("averaged");
    try (Trainer trainer = adam().average(Averaging.exponential(0.9))) {
      untested(trainer, steps(2));
      trainer.saveCheckpoint(averaged);
    }
    says("it has averaged weights: ask for average(...)", () -> adam().resume(averaged));
    refused(
        "[checkpoint] expected a span longer than 0, found 0.0",
        () -> adam().checkpoint(file, steps(0)));
  }

  /// A run goes on with the batches that it began with.
  @Test
  void otherBatches_areRefused() {
    Path file = folder.resolve("batches");
    try (Trainer trainer = adam().checkpoint(file, epochs(1))) {
      untested(trainer, epochs(1));
    }
    try (Trainer trainer = adam().resume(file)) {
      assertEquals(
          "[data] "
              + file
              + ": a run with 6 steps an epoch of 1 batches of 10 is to go on; this one has 3 of 1"
              + " of 20",
          message(DataFormatException.class, () -> trainer.fit(TRAIN.batch(20), epochs(2))));
    }
  }

  private static Trainer adam() {
    return Trainer.of(SMALL).on(Backends.REFERENCE.device()).optimizer(Optimizer.adam(0.01));
  }

  private static void says(String part, Supplier<Trainer> trainers) {
    try (Trainer trainer = trainers.get()) {
      String message = message(DataFormatException.class, () -> untested(trainer, epochs(2)));
      assertTrue(message.contains(part), message);
    }
  }

  /// Of a trainer that has read a checkpoint and done nothing since, a checkpoint is the same
  /// again: the optimizer's states, which wait for the step to be compiled, and the run are in it.
  @Test
  void aResumedTrainer_savesWhatItHasRead() throws IOException {
    Path file = folder.resolve("read");
    Path copy = folder.resolve("written");
    float[] whole;
    try (Trainer trainer = adam()) {
      whole = untested(trainer, epochs(3)).losses();
    }
    try (Trainer trainer = adam().checkpoint(file, steps(4)).watch(cutAfter(7))) {
      assertThrows(PowerCut.class, () -> untested(trainer, epochs(3)));
    }
    try (Trainer trainer = adam().resume(file)) {
      trainer.saveCheckpoint(copy);
    }
    try (Trainer trainer = adam().resume(copy)) {
      assertArrayEquals(whole, untested(trainer, epochs(3)).losses());
    }
  }

  @Test
  void aFolderThatIsMissing_isSaidBeforeTheFirstStep() {
    Path file = folder.resolve("none").resolve("checkpoint");
    List<Long> done = new ArrayList<>();
    Watcher counting =
        new Watcher() {
          @Override
          public void step(Step step) {
            done.add(step.step());
          }
        };
    try (Trainer trainer = adam().checkpoint(file, epochs(1)).watch(counting)) {
      String message = message(UncheckedIOException.class, () -> untested(trainer, epochs(1)));
      assertTrue(message.startsWith("the checkpoint " + file + " cannot be written: "), message);
      assertTrue(message.endsWith("there is no folder " + file.getParent()), message);
    }
    assertEquals(List.of(), done);
    try (Model model = Model.of(SMALL, Backends.REFERENCE.device(), 1)) {
      String message = message(NoSuchFileException.class, () -> model.save(file));
      assertEquals(file + ": there is no folder " + file.getParent(), message);
    }
  }
}
