package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Clipping;
import dev.gatun.LotteryTicket;
import dev.gatun.LotteryTicket.Round;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Pruning;
import dev.gatun.Pruning.Extent;
import dev.gatun.Snapshot;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Weights that are gone, and the tickets that are left.
class PruningTest {
  private static final Net NET = Net.input(2).dense(2).tanh().dense(3);

  /// The smallest magnitudes go: over all, or in each layer.
  @Test
  void theSmallestWeightsGo() {
    try (Model model = Model.of(NET, Backends.REFERENCE.device(), 1)) {
      model.write("dense0.weight", new float[] {0.1f, -0.2f, 0.3f, -0.4f});
      model.write("dense1.weight", new float[] {5, -0.05f, 6, 7, -8, 0.35f});
      model.write("dense0.bias", new float[] {0.01f, 0.02f});
      Pruning none = Pruning.none(model);
      assertEquals(1, none.remaining());
      Pruning global = none.byMagnitude(model, 0.5, Extent.GLOBAL);
      assertEquals(0.5, global.remaining());
      assertArrayEquals(new boolean[] {false, false, false, true}, global.mask("dense0.weight"));
      assertArrayEquals(
          new boolean[] {true, false, true, true, true, false}, global.mask("dense1.weight"));
      Pruning layers = none.byMagnitude(model, 0.5, Extent.LAYERWISE);
      assertEquals(0.5, layers.remaining());
      assertArrayEquals(new boolean[] {false, false, true, true}, layers.mask("dense0.weight"));
      assertArrayEquals(
          new boolean[] {false, false, true, true, true, false}, layers.mask("dense1.weight"));
      // Of the five that are left, two more.
      Pruning further = global.byMagnitude(model, 0.4, Extent.GLOBAL);
      assertEquals(0.3, further.remaining(), 1e-12);
      assertArrayEquals(
          new boolean[] {false, false, true, true, true, false}, further.mask("dense1.weight"));
      further.apply(model);
      assertArrayEquals(new float[4], model.read("dense0.weight"));
      assertArrayEquals(new float[] {0, 0, 6, 7, -8, 0}, model.read("dense1.weight"));
      assertArrayEquals(new float[] {0.01f, 0.02f}, model.read("dense0.bias"));
      refused(
          "[prune] expected a share in [0, 1], found 1.5",
          () -> none.byMagnitude(model, 1.5, Extent.GLOBAL));
      refused(
          "[prune] dense0.bias is not pruned; these are: [dense0.weight, dense1.weight]",
          () -> none.mask("dense0.bias"));
    }
  }

  /// In binary 100 · 0.29 is a little less than 29, and 100 · 0.57 than 57.
  @Test
  void aShareIsTheDecimalNumber() {
    try (Model model = Model.of(Net.input(10).dense(10), Backends.REFERENCE.device(), 1)) {
      for (double share : new double[] {0.29, 0.57, 0.58}) {
        Pruning pruned = Pruning.none(model).byMagnitude(model, share, Extent.GLOBAL);
        assertEquals(1 - share, pruned.remaining(), 1e-12);
      }
    }
  }

  static Stream<Arguments> rules() {
    return Stream.of(Backends.values())
        .flatMap(
            backend ->
                Stream.of(
                        Optimizer.sgd(0.1).momentum(0.9).weightDecay(0.01),
                        Optimizer.adamW(0.01),
                        Optimizer.lion(0.01),
                        Optimizer.muon(0.02))
                    .map(optimizer -> Arguments.of(backend, optimizer)));
  }

  /// Whatever the rule, what is gone stays 0, with penalties, clipping and accumulation too, and
  /// the rest moves.
  @ParameterizedTest
  @MethodSource("rules")
  void whatIsGone_staysZero(Backends backend, Optimizer optimizer) {
    float[] inputs = Pictures.normal(8 * 2, 1);
    int[] labels = Pictures.labels(8, 3, 2);
    for (int accumulation = 1; accumulation < 3; accumulation++) {
      Pruning pruning;
      float[] before;
      try (Model model = Model.of(NET, backend.device(), 1)) {
        pruning = Pruning.none(model).byMagnitude(model, 0.5, Extent.LAYERWISE);
        before = model.read("dense1.weight");
      }
      boolean[] mask = pruning.mask("dense1.weight");
      ParameterGroups groups =
          ParameterGroups.of(optimizer)
              .optimizer(Optimizer.sgd(0.1), ParameterSelector.vectors())
              .l1(0.001, ParameterSelector.matrices());
      try (Trainer trainer =
          Trainer.of(NET)
              .on(backend.device())
              .optimizer(groups)
              .clip(Clipping.byNorm(1))
              .accumulate(accumulation)
              .prune(pruning)) {
        assertZeros(mask, trainer.model().read("dense1.weight"));
        for (int i = 0; i < 6; i++) {
          trainer.step(inputs, labels, 0.05);
          assertZeros(mask, trainer.model().read("dense1.weight"));
        }
        float[] after = trainer.model().read("dense1.weight");
        for (int i = 0; i < mask.length; i++) {
          if (mask[i]) {
            assertNotEquals(before[i], after[i], "a weight that is left stands still");
          }
        }
      }
    }
  }

  private static void assertZeros(boolean[] mask, float[] weights) {
    for (int i = 0; i < mask.length; i++) {
      assertTrue(mask[i] || weights[i] == 0, "weight " + i + " is " + weights[i]);
    }
  }

  /// A net without three of its hidden units, in and out, trains as one that never had them:
  /// losses, norms that decide how much is clipped, and weights.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aNetWithoutUnits_isASmallerNet(Backends backend) {
    Net large = Net.input(4).dense(8).tanh().dense(3);
    Net small = Net.input(4).dense(5).tanh().dense(3);
    float[] inputs = Pictures.normal(16 * 4, 1);
    int[] labels = Pictures.labels(16, 3, 2);
    Pruning pruning;
    float[] first;
    float[] second;
    try (Model model = Model.of(large, backend.device(), 1)) {
      first = model.read("dense0.weight");
      second = model.read("dense1.weight");
      for (int i = 0; i < 3 * 4; i++) {
        first[5 * 4 + i] = 0;
      }
      for (int i = 0; i < second.length; i++) {
        second[i] = i % 8 < 5 ? second[i] : 0;
      }
      model.write("dense0.weight", first);
      model.write("dense1.weight", second);
      pruning = Pruning.none(model).byMagnitude(model, 21 / 56.0, Extent.GLOBAL);
    }
    try (Trainer with = trainer(large, backend).prune(pruning);
        Trainer without = trainer(small, backend)) {
      with.model().write("dense0.weight", first);
      with.model().write("dense1.weight", second);
      without.model().write("dense0.weight", Arrays.copyOf(first, 20));
      without.model().write("dense1.weight", firstFive(second));
      for (int i = 0; i < 20; i++) {
        assertEquals(
            without.step(inputs, labels, 0.1), with.step(inputs, labels, 0.1), 1e-5f, "step " + i);
      }
      assertArrayEquals(
          without.model().read("dense1.weight"),
          firstFive(with.model().read("dense1.weight")),
          1e-5f);
    }
  }

  private static Trainer trainer(Net net, Backends backend) {
    return Trainer.of(net)
        .on(backend.device())
        .optimizer(Optimizer.sgd(0.1).momentum(0.9))
        .clip(Clipping.byNorm(0.1));
  }

  private static float[] firstFive(float[] rowsOfEight) {
    float[] five = new float[15];
    for (int i = 0; i < 15; i++) {
      five[i] = rowsOfEight[i / 5 * 8 + i % 5];
    }
    return five;
  }

  @Test
  void snapshots_bringBackParametersAndStates() {
    Net net = Net.input(2).dense(3).batchNorm();
    try (Trainer trainer =
        Trainer.of(net).on(Backends.REFERENCE.device()).loss((y, labels) -> y.square().mean())) {
      Model model = trainer.model();
      float[] inputs = Pictures.normal(8, 1);
      Snapshot snapshot = Snapshot.of(model);
      float[] before = model.predict(inputs);
      trainer.step(inputs, new int[4], 0.1);
      assertFalse(Arrays.equals(before, model.predict(inputs)));
      snapshot.restore(model);
      assertArrayEquals(before, model.predict(inputs));
      assertArrayEquals(new float[3], model.read("batchNorm0.runningMean"));
    }
  }

  /// Six rounds leave a quarter of the weights, which start from what they were after ten steps,
  /// and classify as well as all of them; each round holds what the one before it held.
  @Test
  void lotteryTickets_learnWithAQuarterOfTheWeights() {
    ImageShape image = new ImageShape(6, 6, 1);
    Dataset train = Pictures.noisy(800, image, 1.5, 1);
    Dataset test = Pictures.noisy(400, image, 1.5, 2);
    Net net = Net.input(6, 6, 1).flatten().dense(40).relu().dense(Pictures.CLASSES);
    LotteryTicket lottery = new LotteryTicket(6, 0.2, steps(10), Extent.GLOBAL);
    List<Round> rounds =
        lottery.find(
            () ->
                Trainer.of(net)
                    .on(Backends.CPU.device())
                    .optimizer(Optimizer.sgd(0.05).momentum(0.9)),
            train.batch(40),
            test.batch(100),
            epochs(6));
    assertEquals(7, rounds.size());
    double whole = rounds.getFirst().evaluation().accuracy();
    assertTrue(whole > 0.8, "accuracy " + whole);
    for (int k = 1; k < 7; k++) {
      assertEquals(Math.pow(0.8, k), rounds.get(k).pruning().remaining(), 0.002);
      assertTrue(
          contains(rounds.get(k - 1).pruning(), rounds.get(k).pruning()), "round " + k + " grows");
    }
    double ticket = rounds.getLast().evaluation().accuracy();
    assertTrue(ticket > whole - 0.03, "accuracy %.3f against %.3f".formatted(ticket, whole));
    refused(
        "[lotteryTicket] expected a share in (0, 1), found 1.0",
        () -> new LotteryTicket(1, 1, null, Extent.GLOBAL));
  }

  private static boolean contains(Pruning larger, Pruning smaller) {
    for (String name : List.of("dense0.weight", "dense1.weight")) {
      boolean[] before = larger.mask(name);
      boolean[] after = smaller.mask(name);
      for (int i = 0; i < after.length; i++) {
        if (after[i] && !before[i]) {
          return false;
        }
      }
    }
    return true;
  }
}
