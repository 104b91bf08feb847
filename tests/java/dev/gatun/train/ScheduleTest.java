package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Schedule.Moment;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Factors at the moments of a run of 100 steps, 10 in an epoch.
class ScheduleTest {
  private static final double TOLERANCE = 1e-6;

  @Test
  void cosine_fallsAlongHalfAWave() {
    assertArrayEquals(
        new double[] {1, 0.853553, 0.5, 0.146447, 0},
        factors(Schedule.cosine(), 0, 25, 50, 75, 100),
        TOLERANCE);
  }

  @Test
  void linear_fallsAlongALine() {
    assertArrayEquals(
        new double[] {1, 0.75, 0.5, 0.25, 0},
        factors(Schedule.linear(), 0, 25, 50, 75, 100),
        TOLERANCE);
  }

  @Test
  void constant_stays() {
    assertArrayEquals(new double[] {1, 1, 1}, factors(Schedule.constant(), 0, 50, 100));
  }

  /// The step that a moment names is the first with the new rate.
  @Test
  void stepDecay_multipliesAtEachMoment() {
    assertArrayEquals(
        new double[] {1, 1, 0.1, 0.1, 0.01, 0.01},
        factors(Schedule.stepDecay(0.1).at(steps(30), epochs(6)), 0, 29, 30, 59, 60, 99),
        TOLERANCE);
    assertArrayEquals(new double[] {1, 1}, factors(Schedule.stepDecay(0.1), 0, 99));
  }

  @Test
  void warmup_rampsUpToTheSchedule() {
    assertArrayEquals(
        new double[] {0.25, 0.5, 0.75, 1, 1, 0.5},
        factors(Schedule.stepDecay(0.5).at(steps(50)).warmup(steps(4)), 0, 1, 2, 3, 4, 50),
        TOLERANCE);
    assertArrayEquals(
        new double[] {0.1, 0.2 * 0.99, 0.91, 0.9},
        factors(Schedule.linear().warmup(epochs(1)), 0, 1, 9, 10),
        TOLERANCE);
    assertArrayEquals(new double[] {1}, factors(Schedule.constant().warmup(steps(0)), 0));
  }

  @Test
  void spans_countStepsOrEpochs() {
    assertEquals(7, steps(7).toSteps(390));
    assertEquals(780, epochs(2).toSteps(390));
    assertEquals(195, epochs(0.5).toSteps(390));
    assertEquals(3, epochs(0.25).toSteps(10), "rounded");
    assertEquals(3, new Span(2.5, Span.Unit.STEPS).toSteps(10), "rounded");
    refused("[span] expected a finite amount of at least 0, found -1.0", () -> steps(-1));
    refused("[span] expected a finite amount of at least 0, found NaN", () -> epochs(Double.NaN));
    refused(
        "[span] expected a finite amount of at least 0, found Infinity",
        () -> epochs(Double.POSITIVE_INFINITY));
    refused("[stepDecay] expected a factor greater than 0, found 0.0", () -> Schedule.stepDecay(0));
  }

  /// In a run the factors multiply the optimizer's rate, and a second run starts its own schedule.
  @Test
  void fit_usesTheScheduleAtEveryStep() {
    Dataset data = Pictures.noisy(45, new ImageShape(2, 2, 1), 1, 1);
    List<Double> rates = new ArrayList<>();
    Watcher recorder =
        new Watcher() {
          @Override
          public void step(Step step) {
            rates.add(step.learningRate());
          }
        };
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(0.5))
            .schedule(Schedule.stepDecay(0.1).at(epochs(1)).warmup(steps(2)))
            .watch(recorder)) {
      trainer.fit(data.batch(10), epochs(2)); // 4 steps in an epoch, the last 5 pictures left out
      assertRates(rates, 0.25, 0.5, 0.5, 0.5, 0.05, 0.05, 0.05, 0.05);
      rates.clear();
      trainer.fit(data.batch(10), Span.steps(3));
      assertRates(rates, 0.25, 0.5, 0.5);
    }
  }

  private static void assertRates(List<Double> rates, double... expected) {
    assertArrayEquals(expected, rates.stream().mapToDouble(Double::doubleValue).toArray(), 1e-12);
  }

  private static double[] factors(Schedule schedule, long... moments) {
    return Arrays.stream(moments)
        .mapToDouble(step -> schedule.factor(new Moment(step, 10, 100)))
        .toArray();
  }
}
