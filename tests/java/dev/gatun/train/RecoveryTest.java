package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Averaging;
import dev.gatun.DivergedException;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recovery;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A loss that is not finite: the run goes back to where all was well, or ends and says what was
/// wrong.
class RecoveryTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);
  private static final Dataset TRAIN = Pictures.noisy(60, TINY, 1, 1);
  private static final Dataset TEST = Pictures.noisy(40, TINY, 1, 2);
  private static final Net NET =
      Net.input(4, 4, 1).flatten().dense(12).batchNorm().relu().dropout(0.2).dense(10);

  @TempDir Path folder;

  /// Writes NaN into a weight after a step, once.
  private static final class Poison implements Watcher {
    private final Trainer trainer;
    private final String name;
    private final long step;
    private boolean done;

    Poison(Trainer trainer, String name, long step) {
      this.trainer = trainer;
      this.name = name;
      this.step = step;
    }

    @Override
    public void step(Step now) {
      if (now.step() == step && !done) {
        done = true;
        float[] elements = trainer.model().read(name);
        elements[3] = Float.NaN;
        trainer.model().write(name, elements);
      }
    }
  }

  private static Trainer trainer(Backends backend) {
    return Trainer.of(NET)
        .on(backend.device())
        .optimizer(Optimizer.sgd(0.05).momentum(0.9))
        .average(Averaging.exponential(0.9));
  }

  /// NaN comes into a weight at step 9. The run goes back to step 8, or 6, and from there is, to
  /// the last bit, one whose rate was halved there.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aPoisonedRun_isOneWhoseRateIsHalved(Backends backend) {
    for (Span every : List.of(steps(4), epochs(1))) {
      int back = every.unit() == Span.Unit.EPOCHS ? 6 : 8;
      List<History.RollBack> told = new ArrayList<>();
      try (Trainer poisoned = trainer(backend).recover(Recovery.attempts(1).every(every));
          Trainer halved = trainer(backend).schedule(from(back, 0.5))) {
        poisoned.watch(
            new Poison(poisoned, "dense0.weight", 9),
            new Watcher() {
              @Override
              public void rolledBack(History.RollBack rollBack) {
                told.add(rollBack);
              }
            });
        History found = poisoned.fit(TRAIN.batch(10), TEST.batch(20), epochs(3));
        History expected = halved.fit(TRAIN.batch(10), TEST.batch(20), epochs(3));
        assertEquals(List.of(new History.RollBack(10, back, 0.5)), found.rollBacks());
        assertEquals(found.rollBacks(), told);
        assertArrayEquals(expected.losses(), found.losses());
        assertEquals(3, found.epochs().size());
        assertEquals(List.of(), expected.rollBacks());
        for (String name : halved.model().parameterNames()) {
          assertArrayEquals(halved.model().read(name), poisoned.model().read(name), name);
          assertArrayEquals(halved.averaged().read(name), poisoned.averaged().read(name), name);
        }
      }
    }
  }

  private static Schedule from(long step, double factor) {
    return moment -> moment.step() >= step ? factor : 1;
  }

  /// The last step ruins the model, and the test notices: the epoch is done again.
  @Test
  void aRuinedTest_goesBackToo() {
    try (Trainer poisoned =
        Trainer.of(NET).on(Backends.REFERENCE.device()).recover(Recovery.attempts(2).rate(0.1))) {
      poisoned.watch(new Poison(poisoned, "dense1.bias", 12));
      History history = poisoned.fit(TRAIN.batch(10), TEST.batch(20), epochs(2));
      assertEquals(List.of(new History.RollBack(12, 6, 0.1)), history.rollBacks());
      assertEquals(12, history.steps());
      for (int step = 0; step < 12; step++) {
        assertEquals(step < 6 ? 0.1 : 0.1 * 0.1, history.learningRates()[step], "step " + step);
      }
      assertEquals(
          List.of(0.1, 0.1 * 0.1),
          history.epochs().stream().map(History.Epoch::learningRate).toList());
    }
  }

  /// A rate at which a net of six layers explodes: a tenth of it, or a hundredth, does not, and the
  /// net learns.
  @Test
  void aRateThatExplodes_isLoweredUntilItDoesNot() {
    Net deep = Net.input(4, 4, 1).flatten();
    for (int l = 0; l < 5; l++) {
      deep = deep.dense(32).relu();
    }
    for (long seed = 1; seed <= 3; seed++) {
      try (Trainer trainer =
          Trainer.of(deep.dense(10))
              .on(Backends.CPU.device())
              .seed(seed)
              .optimizer(Optimizer.sgd(30))
              .recover(Recovery.attempts(8).rate(0.1))) {
        History history = trainer.fit(TRAIN.batch(10), TEST.batch(20), epochs(40));
        assertTrue(!history.rollBacks().isEmpty());
        double loss = history.epochs().getLast().trainLoss();
        assertTrue(loss < Math.log(10) / 2, "seed " + seed + ": loss " + loss);
      }
    }
  }

  /// A rate that no tenth makes good: in the end the exception comes, and says how it was.
  @Test
  void attempts_areLimited() {
    try (Trainer trainer =
        Trainer.of(NET)
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(1e37))
            .recover(Recovery.attempts(2).rate(0.9))) {
      String message =
          message(DivergedException.class, () -> trainer.fit(TRAIN.batch(10), epochs(2)));
      assertTrue(message.endsWith(". Going back 2 times did not help"), message);
    }
  }

  /// What the rate was lowered to, and how often, goes on with a run that is resumed.
  @Test
  void loweredRates_areResumed() {
    Path file = folder.resolve("lowered");
    try (Trainer whole = trainer(Backends.REFERENCE).recover(Recovery.attempts(1));
        Trainer resumed = trainer(Backends.REFERENCE).recover(Recovery.attempts(1)).resume(file)) {
      whole.watch(
          new Poison(whole, "dense0.weight", 8),
          new Watcher() {
            @Override
            public void step(Step step) {
              if (step.step() == 10) {
                save(whole, file);
              }
            }
          });
      History expected = whole.fit(TRAIN.batch(10), epochs(3));
      History found = resumed.fit(TRAIN.batch(10), epochs(3));
      assertEquals(1, found.rollBacks().size());
      assertEquals(expected.rollBacks(), found.rollBacks());
      assertArrayEquals(expected.losses(), found.losses());
    }
  }

  private static void save(Trainer trainer, Path file) {
    try {
      trainer.saveCheckpoint(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Batch norm's averages were computed on the way forward: they tell which layer was the first
  /// whose numbers were ruined.
  @Test
  void theFirstBadTensor_isNamed() {
    Net net =
        Net.input(4, 4, 1).flatten().dense(12).batchNorm().relu().dense(12).batchNorm().dense(10);
    assertEquals("batchNorm0.runningMean", named(net, "dense0.weight", 1));
    assertEquals("batchNorm1.runningMean", named(net, "dense1.weight", 1));
    Net plain = Net.input(4, 4, 1).flatten().dense(12).relu().dense(10);
    assertEquals("dense1.weight", named(plain, "dense1.weight", 2), "before the gradients' update");
  }

  private static String named(Net net, String poisoned, int accumulation) {
    try (Trainer trainer =
        Trainer.of(net).on(Backends.REFERENCE.device()).accumulate(accumulation)) {
      trainer.watch(new Poison(trainer, poisoned, 2));
      String message =
          message(DivergedException.class, () -> trainer.fit(TRAIN.batch(10), epochs(3)));
      return message.replaceAll(".*The first tensor that is not finite is ([\\w.]+)\\. .*", "$1");
    }
  }

  @Test
  void refusals() {
    refused("[recovery] expected at least 1 attempt, found 0.0", () -> Recovery.attempts(0));
    refused("[recovery] expected a rate in (0, 1), found 1.0", () -> Recovery.attempts(1).rate(1));
    refused(
        "[recovery] expected moments more than 0 apart, found 0.0",
        () -> Recovery.attempts(1).every(steps(0)));
  }

  /// A run that has gone back twice and is resumed with one attempt has none left.
  @Test
  void fewerAttempts_areUsedUpAtOnce() {
    Path file = folder.resolve("twice");
    try (Trainer whole = trainer(Backends.REFERENCE).recover(Recovery.attempts(2));
        Trainer resumed = trainer(Backends.REFERENCE).recover(Recovery.attempts(1)).resume(file)) {
      whole.watch(
          new Poison(whole, "dense0.weight", 3),
          new Poison(whole, "dense0.weight", 9),
          new Watcher() {
            @Override
            public void step(Step step) {
              if (step.step() == 13) {
                save(whole, file);
              }
            }
          });
      assertEquals(2, whole.fit(TRAIN.batch(10), epochs(3)).rollBacks().size());
      resumed.watch(new Poison(resumed, "dense0.weight", 15));
      String message =
          message(DivergedException.class, () -> resumed.fit(TRAIN.batch(10), epochs(3)));
      assertTrue(message.endsWith(". Going back 2 times did not help"), message);
    }
  }
}
