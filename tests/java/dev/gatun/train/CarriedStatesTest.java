package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Cell;
import dev.gatun.Layer;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.Recurrent;
import dev.gatun.ShapeException;
import dev.gatun.Stepper;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// States that go on from step to step: predictions some steps at a time, and truncated
/// back-propagation through time.
class CarriedStatesTest {
  private static final int STEPS = 6;
  private static final int FEATURES = 4;

  @ParameterizedTest
  @EnumSource(Backends.class)
  void stepper_goesOnWhereItWas(Backends backend) {
    for (Cell cell : Cell.values()) {
      Recurrent layer = Recurrent.of(cell, FEATURES).layers(2);
      Net net = Net.input(STEPS, FEATURES).recurrent(layer).dense(3);
      float[] x = normal(2 * STEPS * FEATURES);
      try (Model model = Model.of(net, backend.device(), 1)) {
        float[] whole = model.predict(x);
        for (int steps : new int[] {1, 2, 6}) {
          try (Stepper stepper = Stepper.of(model, 2, steps)) {
            for (int run = 0; run < 2; run++) {
              float[] y = new float[whole.length];
              for (int t = 0; t < STEPS; t += steps) {
                put(y, 3, t, stepper.next(piece(x, FEATURES, t, steps)));
              }
              assertArrayEquals(whole, y, 1e-6f, cell + " by " + steps);
              stepper.reset();
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void stepper_takesTokens(Backends backend) {
    Net net = Net.tokens(3).embedding(5, 4).lstm(4).dense(5);
    try (Model model = Model.of(net, backend.device(), 1);
        Stepper stepper = Stepper.of(model, 1, 1)) {
      float[] whole = model.predict(new int[] {4, 0, 2});
      assertArrayEquals(Arrays.copyOfRange(whole, 0, 5), stepper.next(4), 1e-6f);
      assertArrayEquals(Arrays.copyOfRange(whole, 5, 10), stepper.next(0), 1e-6f);
      assertArrayEquals(Arrays.copyOfRange(whole, 10, 15), stepper.next(2), 1e-6f);
    }
  }

  /// The loss of sequences is the mean of those of their halves if states are carried from one to
  /// the other.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void trainer_carriesStatesFromBatchToBatch(Backends backend) {
    for (Precision precision : Precision.values()) {
      double tolerance = precision == Precision.F32 ? 1e-6 : 1e-3;
      float[] x = normal(2 * STEPS * FEATURES);
      int[] labels = {0, 1, 2, 0, 1, 2, 2, 1, 0, 2, 2, 0};
      float[] first = piece(x, FEATURES, 0, 3);
      float[] second = piece(x, FEATURES, 3, 3);
      int[] firstLabels = {0, 1, 2, 2, 1, 0};
      int[] secondLabels = {0, 1, 2, 2, 2, 0};
      try (Trainer whole = trainer(STEPS, precision, backend);
          Trainer carrying = trainer(3, precision, backend).carryStates();
          Trainer starting = trainer(3, precision, backend)) {
        double wanted = whole.step(x, labels, 0);
        double one = carrying.step(first, firstLabels, 0);
        double two = carrying.step(second, secondLabels, 0);
        assertEquals(wanted, (one + two) / 2, tolerance);
        carrying.resetStates();
        assertEquals(one, carrying.step(first, firstLabels, 0));
        assertEquals(one, starting.step(first, firstLabels, 0));
        assertFalse(Math.abs(two - starting.step(second, secondLabels, 0)) < 1e-3);
      }
    }
  }

  private static Trainer trainer(int steps, Precision precision, Backends backend) {
    Recurrent layer = Recurrent.lstm(8).layers(2);
    return Trainer.of(Net.input(steps, FEATURES).recurrent(layer).dense(3))
        .on(backend.device())
        .precision(precision)
        .optimizer(Optimizer.sgd(1));
  }

  /// No slope reaches the batch before: where inputs are zeros, their matrix has none, although it
  /// made the state.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void gradients_endWhereTheBatchBegan(Backends backend) {
    try (Trainer trainer =
        Trainer.of(Net.input(3, FEATURES).gru(4).dense(3))
            .on(backend.device())
            .optimizer(Optimizer.sgd(1))
            .carryStates()) {
      float[] before = trainer.model().read("gru0.layer0.inputWeight");
      float[] states = trainer.model().read("gru0.layer0.recurrentWeight");
      trainer.step(normal(2 * 3 * FEATURES), new int[6], 0);
      trainer.step(new float[2 * 3 * FEATURES], new int[6], 0.5);
      assertArrayEquals(before, trainer.model().read("gru0.layer0.inputWeight"));
      assertFalse(Arrays.equals(states, trainer.model().read("gru0.layer0.recurrentWeight")));
    }
  }

  /// With gradients of two batches summed, the second begins where the first ended.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void accumulation_carriesOnToo(Backends backend) {
    try (Trainer plain = trainer(3, Precision.F32, backend).carryStates();
        Trainer summing = trainer(3, Precision.F32, backend).carryStates().accumulate(2)) {
      float[] x = normal(2 * 3 * FEATURES);
      int[] labels = {0, 1, 2, 2, 1, 0};
      assertEquals(plain.step(x, labels, 0), summing.step(x, labels, 0));
      assertEquals(plain.step(x, labels, 0), summing.step(x, labels, 0));
    }
  }

  /// A delay line: what a state takes over is what the other was before the step, whichever is
  /// stored first.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aState_takesOverWhatAnotherWas(Backends backend) {
    Layer delay =
        (context, x) -> {
          Tensor one = context.carried("one", x.shape().dim(0), 1);
          Tensor two = context.carried("two", x.shape().dim(0), 1);
          if (one == null || two == null) {
            return x.sum(1);
          }
          context.update(two, one);
          context.update(one, x.sum(1));
          return two.plus(0);
        };
    try (Model model = Model.of(Net.input(1, 1).layer("delay", delay), backend.device(), 1);
        Stepper stepper = Stepper.of(model, 1, 1)) {
      for (int i = 1; i <= 5; i++) {
        assertEquals(Math.max(0, i - 2), stepper.next(new float[] {i})[0]);
      }
    }
    try (Trainer trainer =
        Trainer.of(Net.input(1, 1).layer("delay", delay).dense(1))
            .on(backend.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.sgd(1e-30))
            .carryStates()) {
      trainer.model().write("dense0.weight", new float[] {1});
      for (int i = 1; i <= 5; i++) {
        double seen = Math.max(0, i - 2);
        assertEquals(seen * seen, trainer.step(new float[] {i}, new float[] {0}, 0), 1e-6);
      }
    }
  }

  @Test
  void whatHasNoStateToCarry_isRefused() {
    Net both = Net.input(3, 2).recurrent(Recurrent.gru(2).bidirectional());
    try (Model model = Model.of(both, Backends.REFERENCE.device(), 1)) {
      assertEquals(
          "[gru] a layer that reads sequences from their end has no state to carry on",
          assertThrows(IllegalArgumentException.class, () -> Stepper.of(model, 1, 1)).getMessage());
      assertThrows(IllegalArgumentException.class, () -> Stepper.of(model, 1, 0));
    }
    Net fixed = Net.input(3, 2).gru(2).flatten().dense(1);
    try (Model model = Model.of(fixed, Backends.REFERENCE.device(), 1)) {
      assertEquals(
          "the model's dense0.weight is (1, 6), with inputs of this shape it would be (1, 2)",
          assertThrows(ShapeException.class, () -> Stepper.of(model, 1, 1)).getMessage());
      try (Stepper stepper = Stepper.of(model, 1, 3)) {
        assertEquals(
            "[stepper] expected 6 elements, found 5",
            assertThrows(ShapeException.class, () -> stepper.next(new float[5])).getMessage());
        assertEquals(
            "[stepper] the network expects inputs F32 (3, 2), found I32",
            assertThrows(ShapeException.class, () -> stepper.next(1)).getMessage());
      }
    }
  }

  private static float[] normal(int count) {
    RandomStream random = new RandomStream(5, 0);
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }

  /// Some steps of both sequences.
  private static float[] piece(float[] x, int features, int from, int steps) {
    int each = x.length / 2;
    float[] piece = new float[2 * steps * features];
    for (int n = 0; n < 2; n++) {
      System.arraycopy(
          x, n * each + from * features, piece, n * steps * features, steps * features);
    }
    return piece;
  }

  private static void put(float[] whole, int features, int from, float[] piece) {
    int each = whole.length / 2;
    for (int n = 0; n < 2; n++) {
      System.arraycopy(
          piece, n * piece.length / 2, whole, n * each + from * features, piece.length / 2);
    }
  }
}
