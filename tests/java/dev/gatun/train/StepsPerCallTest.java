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
import dev.gatun.Device;
import dev.gatun.DivergedException;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recovery;
import dev.gatun.Schedule;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Text;
import dev.gatun.ffi.probe.ChildJvm;
import dev.gatun.suite.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Several steps in one call of the device: the run is that of single steps, bit for bit, and ends
/// its calls where the host has to look.
class StepsPerCallTest {
  private static final ImageShape IMAGE = new ImageShape(6, 6, 1);
  // Seven batches of 6 in an epoch, which no number of steps divides.
  private static final Dataset TRAIN = Pictures.noisy(44, IMAGE, 1, 1);
  private static final Dataset TEST = Pictures.noisy(20, IMAGE, 1, 2);
  private static final Net NET =
      Net.input(6, 6, 1).conv(3, 3).batchNorm().relu().flatten().dropout(0.2).dense(10);
  private static final int[] STEPS = {1, 2, 3, 7, 10};

  @TempDir Path folder;

  private interface Fit {
    History run(Trainer trainer);
  }

  private static Trainer trainer(Device device) {
    return Trainer.of(NET)
        .on(device)
        .optimizer(Optimizer.sgd(0.05).momentum(0.9))
        .schedule(Schedule.cosine().warmup(steps(3)))
        .clipNorm(1)
        .augment(Augmentation.pad(1), Augmentation.randomCrop(6, 6))
        .seed(5);
  }

  private static History fit(Trainer trainer) {
    return trainer.fit(TRAIN.batch(6), TEST.batch(10), epochs(3));
  }

  /// Calls check(device) on every backend; CUDA is emulated, unless there is a GPU.
  private static void onEach(Backends backend, Consumer<Device> check) {
    check.accept(backend.device());
    if (backend == Backends.CPU) {
      try (Device cuda = Device.cuda(0)) {
        check.accept(cuda);
      }
    }
  }

  private static void expectSame(Trainer expected, History wanted, Trainer found, History got) {
    assertArrayEquals(wanted.losses(), got.losses());
    assertArrayEquals(wanted.learningRates(), got.learningRates());
    assertArrayEquals(wanted.gradientNorms(), got.gradientNorms());
    assertEquals(wanted.epochs().size(), got.epochs().size());
    for (int i = 0; i < wanted.epochs().size(); i++) {
      assertEquals(wanted.epochs().get(i).trainLoss(), got.epochs().get(i).trainLoss());
      assertEquals(wanted.epochs().get(i).trainAccuracy(), got.epochs().get(i).trainAccuracy());
    }
    for (String name : expected.model().parameterNames()) {
      assertArrayEquals(expected.model().read(name), found.model().read(name), name);
    }
  }

  /// The run by single steps on the reference's or the CPU's own memory, and by calls.
  private static void expectSameRuns(Device device, UnaryOperator<Trainer> configuration, Fit fit) {
    try (Trainer single = configuration.apply(trainer(device))) {
      History expected = fit.run(single);
      for (int count : STEPS) {
        try (Trainer several = configuration.apply(trainer(device)).stepsPerCall(count)) {
          expectSame(single, expected, several, fit.run(several));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void stepsInACall_areThoseOneByOne(Backends backend) {
    onEach(
        backend,
        device -> {
          expectSameRuns(device, trainer -> trainer, StepsPerCallTest::fit);
          expectSameRuns(device, Trainer::resident, StepsPerCallTest::fit);
        });
  }

  /// 17 steps are two epochs and three steps of another; the second fit goes on behind them.
  @Test
  void aRunThatEndsWithinAnEpoch_isThatOfSingleSteps() {
    onEach(
        Backends.CPU,
        device ->
            expectSameRuns(
                device,
                Trainer::resident,
                trainer -> {
                  trainer.fit(TRAIN.batch(6), steps(17));
                  return trainer.fit(TRAIN.batch(6), steps(5));
                }));
  }

  @Test
  void averages_areOfTheSameMoments() {
    for (Averaging averaging :
        List.of(Averaging.exponential(0.8), Averaging.stochastic(steps(4), steps(3)))) {
      onEach(
          Backends.CPU,
          device -> {
            try (Trainer single = trainer(device).average(averaging);
                Trainer several = trainer(device).average(averaging).stepsPerCall(5)) {
              expectSame(single, fit(single), several, fit(several));
              for (String name : single.model().parameterNames()) {
                assertArrayEquals(single.averaged().read(name), several.averaged().read(name));
              }
            }
          });
    }
  }

  /// Carried states go on from step to step within a call too.
  @Test
  void sequences_goOnWithinACall() {
    Text text = Text.of("to be or not to be that is the question ".repeat(8));
    Net net =
        Net.tokens(5).embedding(text.alphabet().size(), 6).gru(6).dense(text.alphabet().size());
    for (Device device : List.of(Backends.REFERENCE.device(), Backends.CPU.device())) {
      try (Trainer single = Trainer.of(net).on(device).carryStates();
          Trainer several = Trainer.of(net).on(device).carryStates().stepsPerCall(4)) {
        History expected = single.fit(text.batches(4, 5), epochs(2));
        expectSame(single, expected, several, several.fit(text.batches(4, 5), epochs(2)));
      }
    }
  }

  /// As when a machine is switched off: at step 5, in the middle of a call of others.
  private static final class PowerCut extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aRunThatWasCut_goesOnWithOtherCalls(Backends backend) {
    onEach(
        backend,
        device -> {
          Path file = folder.resolve("run");
          try (Trainer whole = trainer(device).resident();
              Trainer cut = trainer(device).resident().stepsPerCall(3).checkpoint(file, steps(5));
              Trainer resumed = trainer(device).resident().stepsPerCall(4).resume(file)) {
            cut.watch(
                new Watcher() {
                  @Override
                  public void step(Step done) {
                    if (done.step() == 9) {
                      throw new PowerCut();
                    }
                  }
                });
            assertThrows(PowerCut.class, () -> fit(cut));
            expectSame(whole, fit(whole), resumed, fit(resumed));
          }
        });
  }

  /// A rate that is infinite in f32, once: the loss of the step after is not finite.
  private static Schedule explodingAt(long step) {
    return moment -> moment.step() == step ? 1e40 : 1;
  }

  /// The step of the loss is named, and where that was seen; watchers are told of those before.
  @Test
  void aLossThatIsNotFinite_isNamedWithItsOwnStep() {
    onEach(
        Backends.CPU,
        device -> {
          List<Long> told = new ArrayList<>();
          Watcher watcher =
              new Watcher() {
                @Override
                public void step(Step step) {
                  told.add(step.step());
                }
              };
          try (Trainer trainer =
              Trainer.of(Net.input(6, 6, 1).flatten().dense(10))
                  .on(device)
                  .schedule(explodingAt(2))
                  .watch(watcher)
                  .stepsPerCall(6)) {
            String found = message(DivergedException.class, () -> fit(trainer));
            assertTrue(
                found.contains(
                    " at step 4 with learning rate 0.100, seen after step 6, the last of its call;"),
                found);
            assertEquals(List.of(1L, 2L, 3L), told);
          }
        });
  }

  /// A run that goes back does so to the same moments and with the same rates.
  @Test
  void recovery_isThatOfSingleSteps() {
    onEach(
        Backends.CPU,
        device -> {
          UnaryOperator<Trainer> rule =
              trainer ->
                  trainer
                      .schedule(explodingAt(9))
                      .recover(Recovery.attempts(2).rate(1e-40).every(steps(4)));
          try (Trainer single = rule.apply(trainer(device));
              Trainer several = rule.apply(trainer(device)).stepsPerCall(7)) {
            History expected = fit(single);
            History found = fit(several);
            expectSame(single, expected, several, found);
            assertEquals(expected.rollBacks(), found.rollBacks());
            assertTrue(!found.rollBacks().isEmpty());
          }
        });
  }

  /// With accumulation a call is a batch; where a device copies, the next is on its way meanwhile.
  @Test
  void accumulation_onCuda_isThatOfTheCpuUpToRounding() {
    Backends.requireNative();
    try (Device cuda = Device.cuda(0);
        Trainer there = trainer(cuda).accumulate(2);
        Trainer here = trainer(Backends.CPU.device()).accumulate(2)) {
      assertArrayEquals(fit(here).losses(), fit(there).losses(), 1e-4f);
    }
  }

  @Test
  void wrongNumbers_areRefused() {
    try (Trainer trainer = trainer(Backends.REFERENCE.device())) {
      refused("[stepsPerCall] expected at least 1 step, found 0", () -> trainer.stepsPerCall(0));
      trainer.accumulate(2).stepsPerCall(3);
      refused(
          "[stepsPerCall] a step of 2 batches takes as many calls, so 3 steps cannot share one",
          () -> fit(trainer));
    }
  }

  @Test
  void aCall_isOneDowncallToRun() throws Exception {
    Backends.requireNative();
    String output =
        new ChildJvm()
            .withLibrary()
            .with("-Dgatun.downcalls=count")
            .run(TrainerProbe.class, "calls");
    assertEquals(
        List.of("fit {gt_program_feed=5, gt_program_start=5, gt_program_wait=5}"),
        output.lines().toList());
  }
}
