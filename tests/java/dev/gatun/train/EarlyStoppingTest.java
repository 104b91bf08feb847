package dev.gatun.train;

import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Averaging;
import dev.gatun.EarlyStopping;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// When runs stop, on curves made for it and on real ones, and what they keep.
class EarlyStoppingTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);

  /// Twenty pictures in noise, which 64 hidden units learn by heart.
  private static final Net NET = Net.input(4, 4, 1).flatten().dense(64).relu().dense(10);

  private static final Dataset TRAIN = Pictures.noisy(20, TINY, 2, 1);
  private static final Dataset TEST = Pictures.noisy(200, TINY, 2, 2);

  /// Epochs with these losses on a test set, and accuracies that fall as they rise.
  private static List<History.Epoch> curve(double... losses) {
    List<History.Epoch> epochs = new ArrayList<>();
    for (double loss : losses) {
      Evaluation test = new Evaluation(loss, Math.exp(-loss), 1, 0);
      epochs.add(new History.Epoch(epochs.size() + 1, 9, 0.1, 0.1, test, 0));
    }
    return epochs;
  }

  /// The number of epochs after which a run with these losses stops; all if it does not.
  private static int length(EarlyStopping rule, double... losses) {
    List<History.Epoch> epochs = curve(losses);
    int length = 0;
    while (length < losses.length && !rule.stops(epochs.subList(0, length))) {
      length++;
    }
    return length;
  }

  @Test
  void curves_areJudged() {
    double[] valley = {5, 4, 3, 2, 3, 4, 5, 6, 7};
    for (int patience = 1; patience <= 5; patience++) {
      assertEquals(4 + patience, length(EarlyStopping.patience(patience), valley));
    }
    assertEquals(9, length(EarlyStopping.patience(6), valley));
    assertEquals(9, length(EarlyStopping.never(), valley));
    assertEquals(3, EarlyStopping.never().best(curve(valley)));

    double[] ripples = {5, 6, 4, 5, 3, 4, 2, 3}; // each second one is better
    assertEquals(2, length(EarlyStopping.patience(1), ripples));
    assertEquals(8, length(EarlyStopping.patience(2), ripples));

    double[] flat = {1, 1, 1, 1};
    assertEquals(3, length(EarlyStopping.patience(2), flat));
    assertEquals(0, EarlyStopping.never().best(curve(flat)));

    double[] creeping = {1, 0.95, 0.9, 0.85, 0.8, 0.75};
    EarlyStopping strict = EarlyStopping.patience(2).minImprovement(0.08);
    assertEquals(6, length(strict, creeping), "two small steps are one that counts");
    assertEquals(3, length(strict.minImprovement(0.2), creeping));

    double[] ruined = {Double.NaN, 2, Double.NaN, 1, Double.NaN};
    assertEquals(3, EarlyStopping.never().best(curve(ruined)));
    assertEquals(-1, EarlyStopping.never().best(curve(Double.NaN)));
    assertEquals(-1, EarlyStopping.never().best(List.of()));
    assertFalse(EarlyStopping.patience(1).stops(List.of()));
    assertEquals(2, length(EarlyStopping.patience(2), Double.NaN, Double.NaN, Double.NaN));
  }

  /// Accuracy and loss need not agree; without a test set both are those of training.
  @Test
  void measures_areChosen() {
    List<History.Epoch> epochs =
        List.of(
            new History.Epoch(1, 1, 0.5, 0.1, new Evaluation(1, 0.7, 1, 0), 0),
            new History.Epoch(2, 2, 0.4, 0.1, new Evaluation(0.5, 0.6, 1, 0), 0),
            new History.Epoch(3, 3, 0.6, 0.1, new Evaluation(0.8, 0.65, 1, 0), 0));
    assertEquals(1, EarlyStopping.never().best(epochs));
    assertEquals(0, EarlyStopping.never().byAccuracy().best(epochs));
    List<History.Epoch> untested =
        epochs.stream()
            .map(e -> new History.Epoch(e.number(), e.trainLoss(), e.trainAccuracy(), 0.1, null, 0))
            .toList();
    assertEquals(0, EarlyStopping.never().best(untested));
    assertEquals(2, EarlyStopping.never().byAccuracy().best(untested));
  }

  @Test
  void refusals() {
    refused(
        "[earlyStopping] expected a patience of at least 1, found 0.0",
        () -> EarlyStopping.patience(0));
    refused(
        "[earlyStopping] expected a least improvement of at least 0, found -1.0",
        () -> EarlyStopping.patience(1).minImprovement(-1));
  }

  /// A net that learns its few pictures by heart: the test's loss falls, then rises. The run ends
  /// when it has not been better for three epochs, with the very weights of the best.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aRun_stops_andKeepsItsBest(Backends backend) {
    List<float[]> weights = new ArrayList<>();
    try (Trainer trainer = trainer(backend).stopEarly(EarlyStopping.patience(3).restoreBest())) {
      trainer.watch(recorder(trainer, weights));
      History history = trainer.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200));
      assertTrue(history.stoppedEarly());
      History.Epoch best = Objects.requireNonNull(history.best());
      int epochs = history.epochs().size();
      assertEquals(best.number() + 3, epochs);
      assertTrue(epochs > 4 && epochs < 200, epochs + " epochs");
      assertArrayEquals(weights.get(best.number() - 1), trainer.model().read("dense0.weight"));
      assertEquals(
          Objects.requireNonNull(best.test()).loss(), trainer.evaluate(TEST.batch(200)).loss());
      assertTrue(trainer.evaluate(TEST.batch(200)).loss() < lossOf(history, epochs - 1));
    }
  }

  /// Without restoring, the last weights stay; without stopping, the best come back all the same.
  @Test
  void stopping_andRestoring_areOnTheirOwn() {
    List<float[]> weights = new ArrayList<>();
    try (Trainer trainer = trainer(Backends.REFERENCE).stopEarly(EarlyStopping.patience(3))) {
      trainer.watch(recorder(trainer, weights));
      History history = trainer.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200));
      assertTrue(history.stoppedEarly());
      assertArrayEquals(weights.getLast(), trainer.model().read("dense0.weight"));
    }
    try (Trainer trainer =
        trainer(Backends.REFERENCE).stopEarly(EarlyStopping.never().restoreBest())) {
      weights.clear();
      trainer.watch(recorder(trainer, weights));
      History history = trainer.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(60));
      assertFalse(history.stoppedEarly());
      assertEquals(60, history.epochs().size());
      History.Epoch best = Objects.requireNonNull(history.best());
      assertTrue(best.number() < 60, "epoch " + best.number());
      assertArrayEquals(weights.get(best.number() - 1), trainer.model().read("dense0.weight"));
    }
  }

  /// What is judged is the average, so the average comes back too, and what inference has prepared
  /// of its weights is prepared anew.
  @Test
  void averages_comeBack() {
    averageComesBack(NET);
    averageComesBack(Net.input(4, 4, 1).flatten().dense(64).batchNorm().relu().dense(10));
  }

  private static void averageComesBack(Net net) {
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(0.05).momentum(0.9))
            .average(Averaging.exponential(0.7))
            .stopEarly(EarlyStopping.patience(3).restoreBest())) {
      History history = trainer.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200));
      History.Epoch best = Objects.requireNonNull(history.best());
      assertTrue(best.number() < history.epochs().size());
      assertEquals(
          Objects.requireNonNull(best.test()).loss(), trainer.evaluate(TEST.batch(200)).loss());
    }
  }

  /// A run that is cut after its best epoch, and goes on, still has the best epoch's weights.
  @Test
  void aResumedRun_keepsTheBestFromBefore(@TempDir Path folder) {
    Path file = folder.resolve("run");
    EarlyStopping rule = EarlyStopping.patience(4).restoreBest();
    try (Trainer whole = trainer(Backends.REFERENCE).stopEarly(rule);
        Trainer cut = trainer(Backends.REFERENCE).stopEarly(rule).checkpoint(file, Span.epochs(1));
        Trainer resumed = trainer(Backends.REFERENCE).stopEarly(rule).resume(file)) {
      History expected = whole.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200));
      int best = Objects.requireNonNull(expected.best()).number();
      cut.watch(
          new Watcher() {
            @Override
            public void epoch(History.Epoch epoch) {
              if (epoch.number() == best + 3) {
                throw new IllegalStateException("cut");
              }
            }
          });
      assertThrows(
          IllegalStateException.class,
          () -> cut.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200)));
      History found = resumed.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(200));
      assertEquals(expected.epochs().size(), found.epochs().size());
      for (String name : whole.model().parameterNames()) {
        assertArrayEquals(whole.model().read(name), resumed.model().read(name), name);
      }
    }
  }

  /// Nothing changes for a run without it; its best epoch is that with the least loss.
  @Test
  void withoutIt_aRunGoesToItsEnd() {
    try (Trainer trainer = trainer(Backends.REFERENCE)) {
      History history = trainer.fit(TRAIN.batch(10), TEST.batch(200), Span.epochs(20));
      assertFalse(history.stoppedEarly());
      assertEquals(20, history.epochs().size());
      int least = 0;
      for (int i = 1; i < 20; i++) {
        least = lossOf(history, i) < lossOf(history, least) ? i : least;
      }
      assertSame(history.epochs().get(least), history.best());
      assertNull(trainer.fit(TRAIN.batch(10), Span.epochs(0)).best());
    }
  }

  private static double lossOf(History history, int epoch) {
    return Objects.requireNonNull(history.epochs().get(epoch).test()).loss();
  }

  private static Trainer trainer(Backends backend) {
    return Trainer.of(NET).on(backend.device()).optimizer(Optimizer.sgd(0.05).momentum(0.9));
  }

  private static Watcher recorder(Trainer trainer, List<float[]> weights) {
    return new Watcher() {
      @Override
      public void epoch(History.Epoch epoch) {
        weights.add(trainer.model().read("dense0.weight"));
      }
    };
  }
}
