package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.BatchScaling;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Schedule.Moment;
import dev.gatun.Schedule.OneCycle;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Factors in a run of 100 steps, 10 in an epoch. Where PyTorch has the schedule, the values are
/// what PyTorch 2.13 gives in double precision.
class ScheduleValuesTest {
  private static final double TOLERANCE = 1e-12;

  @Test
  void oneCycle_isPyTorchs() {
    assertFactors(
        Schedule.oneCycle(),
        new long[] {0, 1, 15, 28, 29, 30, 64, 98, 99},
        0.04,
        0.042813780565907456,
        0.5459866761210004,
        0.9971862194340926,
        1,
        0.9994965352845243,
        0.500002,
        0.0005074647154757879,
        4e-6);
    assertEquals(1, new OneCycle(0.5, 25, 1e4).factor(new Moment(0, 1, 2)), "no rise to be seen");
    assertEquals(4e-6, Schedule.oneCycle().factor(new Moment(0, 1, 1)), TOLERANCE, "one step");
  }

  @Test
  void cosineRestarts_isPyTorchs() {
    double[] expected = {
      1, 0.5, 0.024471741852423234, 1, 0.5, 0.00615582970243117, 1, 0.5, 0.001541333133436018, 1
    };
    long[] at = {0, 5, 9, 10, 20, 29, 30, 50, 69, 70};
    assertFactors(Schedule.cosineRestarts(steps(10), 2), at, expected);
    assertFactors(Schedule.cosineRestarts(epochs(1), 2), at, expected);
    assertFactors(Schedule.cosineRestarts(steps(10), 1), new long[] {10, 45, 90}, 1, 0.5, 1);
  }

  @Test
  void polynomial_isPyTorchs() {
    assertFactors(
        Schedule.polynomial(2), new long[] {0, 25, 50, 99, 100}, 1, 0.5625, 0.25, 0.0001, 0);
  }

  @Test
  void downTo_isPyTorchsLeastRate() {
    assertFactors(
        Schedule.cosine().downTo(0.1),
        new long[] {0, 25, 50, 75, 100},
        1,
        0.8681980515339464,
        0.55,
        0.231801948466054,
        0.1);
  }

  @Test
  void stepDecay_every_isPyTorchsStepLR() {
    long[] at = {0, 29, 30, 60, 90};
    assertFactors(Schedule.stepDecay(0.5).every(steps(30)), at, 1, 1, 0.5, 0.25, 0.125);
    assertFactors(Schedule.stepDecay(0.5).every(epochs(3)), at, 1, 1, 0.5, 0.25, 0.125);
  }

  /// The values of the lectures: ×0.1 after epochs 30, 60 and 90, half every 10 epochs.
  @Test
  void stepDecay_followsTheLectures() {
    Schedule resnet = Schedule.stepDecay(0.1).at(epochs(30), epochs(60), epochs(90));
    assertArrayEquals(
        new double[] {1, 0.1, 0.1, 0.01, 0.01, 0.001},
        IntStream.of(29, 30, 59, 60, 89, 90)
            .mapToDouble(epoch -> resnet.factor(new Moment(epoch * 10L, 10, 1000)))
            .toArray(),
        TOLERANCE);
    Schedule half = Schedule.stepDecay(0.5).every(epochs(10));
    assertEquals(1, half.factor(new Moment(99, 10, 1000)));
    assertEquals(0.5, half.factor(new Moment(100, 10, 1000)));
  }

  @Test
  void exponential_andOneOverT_haveTheirFormula() {
    long[] at = {0, 10, 20};
    double[] expected = {1, 0.6065306597126334, 0.36787944117144233};
    assertFactors(Schedule.exponential(steps(20)), at, expected);
    assertFactors(Schedule.exponential(epochs(2)), at, expected);
    assertFactors(Schedule.inverseTime(steps(10)), new long[] {0, 10, 30}, 1, 0.5, 0.25);
  }

  @Test
  void inverseSquareRoot_startsAtOne() {
    assertFactors(Schedule.inverseSquareRoot(steps(1)), new long[] {0, 3, 99}, 1, 0.5, 0.1);
    // min(t^-1/2, t · 25^-3/2) · 25^1/2 of Vaswani et al., t counted from 1.
    Schedule vaswani = Schedule.inverseSquareRoot(steps(25)).warmup(steps(25));
    for (long step = 0; step < 100; step++) {
      double t = step + 1;
      double expected = Math.min(Math.pow(t, -0.5), t * Math.pow(25, -1.5)) * 5;
      assertEquals(expected, vaswani.factor(new Moment(step, 10, 100)), TOLERANCE, "step " + step);
    }
  }

  @Test
  void linearWarmup_risesFromZero_orFromWhereItIsTold() {
    assertFactors(Schedule.linearWarmup(steps(50)), new long[] {0, 25, 50, 99}, 0, 0.5, 1, 1);
    assertFactors(Schedule.linearWarmup(epochs(2)).from(0.5), new long[] {0, 10, 20}, 0.5, 0.75, 1);
  }

  /// PyTorch's SequentialLR of LinearLR and CosineAnnealingLR.
  @Test
  void linearWarmup_then_isPyTorchsSequence() {
    long[] at = {0, 1, 10, 19, 20, 40, 60, 99};
    double[] expected = {0.2, 0.24, 0.6, 0.96, 1, 0.8535533905932737, 0.5, 0.0003854818796385495};
    assertFactors(Schedule.linearWarmup(steps(20)).from(0.2).then(Schedule.cosine()), at, expected);
  }

  @Test
  void then_givesEachPartItsOwnClock() {
    Schedule parts = Schedule.linear().then(epochs(4), Schedule.linear().times(half()));
    assertFactors(parts, new long[] {0, 20, 39, 40, 70, 100}, 1, 0.5, 1.0 / 40, 0.5, 0.25, 0);
  }

  @Test
  void times_multiplies() {
    assertFactors(
        Schedule.linear().times(Schedule.cosine()),
        new long[] {0, 50, 75},
        1,
        0.25,
        0.25 * 0.14644660940672627);
  }

  /// PyTorch's ReduceLROnPlateau(factor=0.1, patience=2, min_lr=5e-3).
  @Test
  void reduceOnPlateau_isPyTorchs() {
    List<Double> losses =
        List.of(1., .9, .95, .9, .89995, .5, .5, .5, .5, .5, .49, .6, .6, .6, .6, .6);
    double[] expected = {1, 1, 1, 1, 1, .1, .1, .1, .1, .01, .01, .01, .01, .01, .005, .005, .005};
    Schedule schedule = Schedule.reduceOnPlateau(0.1).patience(2).downTo(5e-3);
    for (int i = 0; i < expected.length; i++) {
      Moment moment = new Moment(10L * i, 10, 1000, losses.subList(0, i));
      assertEquals(expected[i], schedule.factor(moment), TOLERANCE, "after " + i + " epochs");
    }
  }

  @Test
  void reduceOnPlateau_thresholdZero_asksForAnyImprovement() {
    Schedule strict = Schedule.reduceOnPlateau(0.5).patience(0).threshold(0);
    assertEquals(1, strict.factor(new Moment(0, 1, 10, List.of(1.0, 0.99999))));
    assertEquals(0.5, strict.factor(new Moment(0, 1, 10, List.of(1.0, 1.0))));
  }

  /// A threshold is a share of the best loss, however small that is.
  @Test
  void reduceOnPlateau_threshold_isRelative() {
    Schedule schedule = Schedule.reduceOnPlateau(0.5).patience(0).threshold(0.01);
    assertEquals(1, schedule.factor(new Moment(0, 1, 10, List.of(1e-3, 0.98e-3))));
    assertEquals(0.5, schedule.factor(new Moment(0, 1, 10, List.of(1e-3, 0.995e-3))));
    assertEquals(1, schedule.factor(new Moment(0, 1, 10, List.of(100.0, 98.0))));
    assertEquals(0.5, schedule.factor(new Moment(0, 1, 10, List.of(100.0, 99.5))));
  }

  /// Behind a warm-up it sees only the epochs after it.
  @Test
  void reduceOnPlateau_afterAWarmup_forgetsWhatWasBefore() {
    Schedule joined =
        Schedule.linearWarmup(epochs(2)).then(Schedule.reduceOnPlateau(0.1).patience(0));
    List<Double> losses = List.of(0.1, 0.1, 3.0, 2.0);
    assertEquals(1, joined.factor(new Moment(40, 10, 100, losses)));
    assertEquals(0.1, joined.factor(new Moment(50, 10, 100, List.of(.1, .1, 3., 2., 2.))));
  }

  /// The trainer tells a schedule the losses of the test set.
  @Test
  void fit_reportsTheLossesOfItsEpochs() {
    Dataset train = Pictures.noisy(40, new ImageShape(2, 2, 1), 1, 1);
    Dataset test = Pictures.noisy(20, new ImageShape(2, 2, 1), 1, 2);
    List<Double> told = new ArrayList<>();
    List<Double> seen = new ArrayList<>();
    Schedule recording =
        moment -> {
          told.clear();
          told.addAll(moment.losses());
          return 1;
        };
    Watcher watcher =
        new Watcher() {
          @Override
          public void epoch(History.Epoch epoch) {
            seen.add(epoch.test() == null ? epoch.trainLoss() : epoch.test().loss());
          }
        };
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(0.1))
            .schedule(recording)
            .watch(watcher)) {
      trainer.fit(train.batch(10), test.batch(10), epochs(3));
      assertEquals(seen.subList(0, 2), told);
      seen.clear();
      trainer.fit(train.batch(10), epochs(2));
      assertEquals(seen.subList(0, 1), told);
    }
  }

  @Test
  void batchScaling_followsItsRule() {
    assertEquals(0.4, BatchScaling.LINEAR.rate(0.1, 256, 1024), TOLERANCE);
    assertEquals(0.2, BatchScaling.SQUARE_ROOT.rate(0.1, 256, 1024), TOLERANCE);
    assertEquals(0.05, BatchScaling.LINEAR.rate(0.1, 256, 128), TOLERANCE);
    refused(
        "[batchScaling] expected batch sizes of at least 1, found 0 and 8",
        () -> BatchScaling.LINEAR.rate(0.1, 0, 8));
  }

  @Test
  void badArguments_areRefused() {
    refused(
        "[cosineRestarts] expected a stretch of at least 1, found 0",
        () -> Schedule.cosineRestarts(steps(10), 0));
    refused(
        "[exponential] expected a span longer than 0, found Span[amount=0.0, unit=STEPS]",
        () -> Schedule.exponential(steps(0)));
    refused(
        "[polynomial] expected a power greater than 0, found 0.0", () -> Schedule.polynomial(0));
    refused(
        "[downTo] expected a least factor in [0, 1], found 1.5",
        () -> Schedule.cosine().downTo(1.5));
    refused(
        "[linearWarmup] expected a first factor in [0, 1], found -1.0",
        () -> Schedule.linearWarmup(steps(5)).from(-1));
    refused("[oneCycle] expected a rise in (0, 1), found 1.0", () -> new OneCycle(1, 25, 1e4));
    refused(
        "[oneCycle] expected divisors of at least 1, found 0.5 and 10000.0",
        () -> new OneCycle(0.3, 0.5, 1e4));
    refused(
        "[reduceOnPlateau] expected a factor in (0, 1), found 1.0",
        () -> Schedule.reduceOnPlateau(1));
    refused(
        "[reduceOnPlateau] expected a patience of at least 0, found -1",
        () -> Schedule.reduceOnPlateau(0.1).patience(-1));
    refused(
        "[reduceOnPlateau] expected a threshold in [0, 1), found 1.0",
        () -> Schedule.reduceOnPlateau(0.1).threshold(1));
    refused(
        "[reduceOnPlateau] expected a least factor in [0, 1], found 2.0",
        () -> Schedule.reduceOnPlateau(0.1).downTo(2));
  }

  private static Schedule half() {
    return moment -> 0.5;
  }

  private static void assertFactors(Schedule schedule, long[] steps, double... expected) {
    double[] found =
        Arrays.stream(steps)
            .mapToDouble(step -> schedule.factor(new Moment(step, 10, 100)))
            .toArray();
    assertArrayEquals(expected, found, TOLERANCE);
  }
}
