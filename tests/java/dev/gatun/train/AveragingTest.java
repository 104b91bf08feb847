package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.illegalState;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Averaging;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule.Moment;
import dev.gatun.Trainer;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Averages of weights, against the same averages of what the model shows after every step.
class AveragingTest {
  private static final Net NET = Net.input(7).dense(5).batchNorm().relu().dense(3);
  private static final int STEPS = 12;

  @ParameterizedTest
  @EnumSource(Backends.class)
  void exponential_followsItsFormula(Backends backend) {
    Averaging averaging = Averaging.exponential(0.4);
    try (Trainer trainer = trainer(backend, averaging)) {
      Map<String, double[]> average = new LinkedHashMap<>();
      for (int t = 0; t < STEPS; t++) {
        step(trainer);
        double decay = Math.min(0.4, (1.0 + t) / (10.0 + t));
        follow(average, trainer, t == 0 ? 1 : 1 - decay);
        compare(average, trainer);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void stochastic_isTheMeanOfWhatItSaw(Backends backend) {
    try (Trainer trainer = trainer(backend, Averaging.stochastic(steps(4), steps(3)))) {
      Map<String, double[]> average = new LinkedHashMap<>();
      int count = 0;
      for (int t = 1; t <= STEPS; t++) {
        step(trainer);
        if (t >= 4 && (t - 4) % 3 == 0) {
          follow(average, trainer, 1.0 / ++count);
        }
        if (count > 0) {
          compare(average, trainer);
        }
      }
      assertEquals(3, count);
    }
  }

  @Test
  void stochastic_countsEpochs() {
    Averaging averaging = Averaging.stochastic(epochs(2), epochs(1));
    List<Double> weights = new ArrayList<>();
    long count = 0;
    for (long step = 1; step <= 40; step++) {
      double weight = averaging.weight(new Moment(step, 10, 40), count);
      if (weight != 0) {
        weights.add(weight);
        count++;
      }
    }
    assertEquals(List.of(1.0, 0.5, 1.0 / 3), weights);
  }

  /// The test set is judged by the average once there is one.
  @Test
  void evaluate_takesTheAverage() {
    var train = Pictures.noisy(40, new ImageShape(2, 2, 1), 1, 1);
    var test = Pictures.noisy(20, new ImageShape(2, 2, 1), 1, 2);
    Net net = Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES);
    try (Trainer averaged =
            Trainer.of(net)
                .on(Backends.REFERENCE.device())
                .average(Averaging.stochastic(epochs(2), epochs(9)));
        Trainer plain = Trainer.of(net).on(Backends.REFERENCE.device())) {
      History early = averaged.fit(train.batch(10), test.batch(10), epochs(2));
      History same = plain.fit(train.batch(10), test.batch(10), epochs(2));
      assertEquals(loss(same), loss(early), "the copy of the second epoch's end");
      averaged.fit(train.batch(10), epochs(1)); // the average stays
      assertEquals(loss(early), averaged.evaluate(test.batch(10)).loss());
    }
  }

  @Test
  void averaged_withoutAnAverage_isRefused() {
    try (Trainer plain = Trainer.of(NET).on(Backends.REFERENCE.device());
        Trainer early = trainer(Backends.REFERENCE, Averaging.exponential(0.9))) {
      illegalState(
          "[averaged] this trainer does not average: ask for it with average(...)",
          plain::averaged);
      illegalState("[averaged] nothing was averaged yet", early::averaged);
    }
  }

  @Test
  void badNumbers_areRefused() {
    refused("[exponential] expected a decay in [0, 1), found 1.0", () -> Averaging.exponential(1));
    refused(
        "[stochastic] expected a period longer than 0, found 0.0",
        () -> Averaging.stochastic(steps(1), steps(0)));
  }

  private static double loss(History history) {
    return Objects.requireNonNull(history.test()).loss();
  }

  private static Trainer trainer(Backends backend, Averaging averaging) {
    return Trainer.of(NET)
        .on(backend.device())
        .optimizer(Optimizer.sgd(1).momentum(0.9))
        .average(averaging);
  }

  private static void step(Trainer trainer) {
    trainer.step(Pictures.normal(6 * 7, 1), Pictures.labels(6, 3, 2), 0.2);
  }

  private static List<String> names(Trainer trainer) {
    List<String> names = new ArrayList<>(trainer.model().parameterNames());
    names.addAll(trainer.model().stateNames());
    return names;
  }

  private static void follow(Map<String, double[]> average, Trainer trainer, double weight) {
    for (String name : names(trainer)) {
      float[] present = trainer.model().read(name);
      double[] old = average.computeIfAbsent(name, key -> new double[present.length]);
      for (int i = 0; i < present.length; i++) {
        old[i] += weight * (present[i] - old[i]);
      }
    }
  }

  private static void compare(Map<String, double[]> average, Trainer trainer) {
    for (String name : names(trainer)) {
      float[] found = trainer.averaged().read(name);
      for (int i = 0; i < found.length; i++) {
        double expected = Objects.requireNonNull(average.get(name))[i];
        assertEquals(expected, found[i], 1e-5 * (1 + Math.abs(expected)), name);
      }
    }
  }
}
