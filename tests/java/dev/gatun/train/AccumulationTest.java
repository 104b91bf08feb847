package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Clipping;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Batches;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Gradients of several batches make one step.
class AccumulationTest {
  private static final Net NET = Net.input(7).dense(6).tanh().dense(3);
  private static final float[] INPUTS = Pictures.normal(12 * 7, 1);
  private static final int[] LABELS = Pictures.labels(12, 3, 2);

  private static Trainer trainer(Backends backend, int accumulation) {
    ParameterGroups groups =
        ParameterGroups.of(Optimizer.adam(1))
            .l2(0.01, ParameterSelector.matrices())
            .frozen(ParameterSelector.under("dense1.bias"));
    return Trainer.of(NET)
        .on(backend.device())
        .optimizer(groups)
        .clip(Clipping.byNorm(0.2))
        .accumulate(accumulation);
  }

  /// Three batches of 4 are one of 12, for several steps, with penalties and clipping.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void severalBatches_areOneLargerBatch(Backends backend) {
    try (Trainer whole = trainer(backend, 1);
        Trainer parts = trainer(backend, 3)) {
      for (int step = 0; step < 5; step++) {
        whole.step(INPUTS, LABELS, 0.05);
        for (int k = 0; k < 3; k++) {
          float[] before = parts.model().read("dense0.weight");
          parts.step(
              Arrays.copyOfRange(INPUTS, k * 4 * 7, (k + 1) * 4 * 7),
              Arrays.copyOfRange(LABELS, k * 4, (k + 1) * 4),
              0.05);
          if (k < 2) {
            assertArrayEquals(before, parts.model().read("dense0.weight"), "it steps too soon");
          }
        }
        for (String name : whole.model().parameterNames()) {
          assertArrayEquals(whole.model().read(name), parts.model().read(name), 2e-5f, name);
        }
      }
    }
  }

  @Test
  void fit_countsSteps() {
    var data = Pictures.noisy(45, new ImageShape(2, 2, 1), 1, 1);
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(0.1))
            .accumulate(2)) {
      History history = trainer.fit(data.batch(10), epochs(3)); // 4 batches, 2 steps in an epoch
      assertEquals(6, history.steps());
      assertEquals(3, history.epochs().size());
    }
  }

  /// What a run reports of a step is the mean of its batches: that of one larger batch.
  @Test
  void fit_reportsTheMeansOfItsBatches() {
    var data = Pictures.noisy(60, new ImageShape(2, 2, 1), 1, 1);
    List<Watcher.Step> wholeSteps = new ArrayList<>();
    List<Watcher.Step> parts = new ArrayList<>();
    History expected = reported(data.batch(20), 1, wholeSteps);
    History found = reported(data.batch(10), 2, parts);
    assertArrayEquals(expected.losses(), found.losses(), 1e-5f);
    assertEquals(6, parts.size());
    for (int i = 0; i < 6; i++) {
      assertEquals(wholeSteps.get(i).loss(), parts.get(i).loss(), 1e-5);
      assertEquals(wholeSteps.get(i).accuracy(), parts.get(i).accuracy());
    }
    for (int i = 0; i < 2; i++) {
      assertEquals(expected.epochs().get(i).trainLoss(), found.epochs().get(i).trainLoss(), 1e-5);
      assertEquals(expected.epochs().get(i).trainAccuracy(), found.epochs().get(i).trainAccuracy());
    }
  }

  private static History reported(Batches batches, int accumulation, List<Watcher.Step> steps) {
    Watcher recorder =
        new Watcher() {
          @Override
          public void step(Step step) {
            steps.add(step);
          }
        };
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.adam(0.05))
            .accumulate(accumulation)
            .watch(recorder)) {
      return trainer.fit(batches, epochs(2));
    }
  }

  @Test
  void badCounts_areRefused() {
    refused("[accumulate] expected at least 1 batch, found 0", () -> Trainer.of(NET).accumulate(0));
    var data = Pictures.noisy(45, new ImageShape(2, 2, 1), 1, 1);
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(Pictures.CLASSES))
            .on(Backends.REFERENCE.device())
            .accumulate(5)) {
      refused(
          "[fit] an epoch has 4 batches, fewer than the 5 that a step accumulates",
          () -> trainer.fit(data.batch(10), epochs(1)));
    }
  }
}
