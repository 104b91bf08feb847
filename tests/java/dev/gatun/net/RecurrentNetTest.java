package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.Recurrent;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Recurrent layers in networks: shapes, parameters and how they begin, dropout, losses along
/// sequences.
class RecurrentNetTest {
  private static final Net SEQUENCES = Net.input(7, 5);

  @Test
  void sequences_becomeOutputsOrFinalStates() {
    assertEquals(Shape.of(7, 4), SEQUENCES.gru(4).outputShape());
    assertEquals(Shape.of(7, 3), SEQUENCES.lstm(4).dense(3).outputShape());
    Recurrent both = Recurrent.ugrnn(4).layers(2).bidirectional();
    assertEquals(Shape.of(7, 8), SEQUENCES.recurrent(both).outputShape());
    assertEquals(Shape.of(8), SEQUENCES.recurrent(both.lastState()).outputShape());
    assertEquals(Shape.of(7, 5), SEQUENCES.intersectionRnn(5).outputShape());
  }

  /// PyTorch's counts, less one offset of each unit and gate but the GRU's candidates.
  @Test
  void parameters_areCounted() {
    assertEquals(4 * (4 + 5 + 1), SEQUENCES.rnn(4).parameterCount());
    assertEquals(2 * 4 * (4 + 5 + 1), SEQUENCES.ugrnn(4).parameterCount());
    assertEquals(3 * 4 * (4 + 5 + 1) + 4, SEQUENCES.gru(4).parameterCount());
    assertEquals(
        3 * 4 * (4 + 5 + 1), SEQUENCES.recurrent(Recurrent.gru(4).resetBefore()).parameterCount());
    assertEquals(4 * 4 * (4 + 5 + 1), SEQUENCES.lstm(4).parameterCount());
    assertEquals(4 * 5 * (5 + 5 + 1), SEQUENCES.intersectionRnn(5).parameterCount());
    Recurrent deep = Recurrent.lstm(4).layers(2).bidirectional();
    assertEquals(
        2 * 4 * 4 * (4 + 5 + 1) + 2 * 4 * 4 * (4 + 8 + 1),
        SEQUENCES.recurrent(deep).parameterCount());
  }

  @Test
  void parameters_haveNamesAndFirstValues() {
    Device device = Backends.REFERENCE.device();
    Net net = SEQUENCES.recurrent(Recurrent.lstm(4).bidirectional()).gru(4);
    try (Model model = Model.of(net, device, 1)) {
      assertEquals(
          List.of(
              "lstm0.layer0.inputWeight",
              "lstm0.layer0.bias",
              "lstm0.layer0.recurrentWeight",
              "gru0.layer0.inputWeight",
              "gru0.layer0.bias",
              "gru0.layer0.recurrentWeight",
              "gru0.layer0.recurrentBias"),
          model.parameterNames());
      float[] offsets = model.read("lstm0.layer0.bias");
      for (int i = 0; i < offsets.length; i++) {
        assertEquals(i / 4 % 4 == 1 ? 1 : 0, offsets[i]); // forget gates
      }
      assertArrayEquals(new float[12], model.read("gru0.layer0.bias"));
      float[] matrices = model.read("lstm0.layer0.recurrentWeight");
      for (int matrix = 0; matrix < 8; matrix++) {
        float[] one = Arrays.copyOfRange(matrices, matrix * 16, matrix * 16 + 16);
        requireOrthonormal(one);
        for (int other = 0; other < matrix; other++) {
          assertEquals(
              false, Arrays.equals(one, Arrays.copyOfRange(matrices, other * 16, other * 16 + 16)));
        }
      }
      double bound = Math.sqrt(6.0 / (4 + 5)); // a gate's fans, not those of all gates
      float[] inputs = model.read("lstm0.layer0.inputWeight");
      double greatest = 0;
      for (float weight : inputs) {
        greatest = Math.max(greatest, Math.abs(weight));
      }
      assertEquals(true, greatest <= bound && greatest > 0.9 * bound);
    }
  }

  private static void requireOrthonormal(float[] matrix) {
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j < 4; j++) {
        double product = 0;
        for (int k = 0; k < 4; k++) {
          product += matrix[i * 4 + k] * matrix[j * 4 + k];
        }
        assertEquals(i == j ? 1 : 0, product, 1e-6);
      }
    }
  }

  /// An IRNN begins as an accumulator: with inputs through ones its states are their sums.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void irnn_beginsAsASum(Backends backend) {
    Recurrent irnn = Recurrent.irnn(2).inputInitializer(Initializer.ones());
    try (Model model = Model.of(Net.input(4, 1).recurrent(irnn), backend.device(), 1)) {
      assertArrayEquals(
          new float[] {1, 1, 3, 3, 6, 6, 10, 10}, model.predict(new float[] {1, 2, 3, 4}));
    }
  }

  @Test
  void forgetBias_isThatOfTheGatesWhichKeep() {
    Device device = Backends.REFERENCE.device();
    assertArrayEquals(new float[] {0, 1}, offsets(device, Recurrent.ugrnn(1)));
    assertArrayEquals(new float[] {0, 2, 0}, offsets(device, Recurrent.gru(1).forgetBias(2)));
    assertArrayEquals(new float[] {0, -1, 0, 0}, offsets(device, Recurrent.lstm(1).forgetBias(-1)));
    assertArrayEquals(new float[] {0, 0, 1, 1}, offsets(device, Recurrent.intersection(1)));
  }

  private static float[] offsets(Device device, Recurrent layer) {
    try (Model model = Model.of(Net.input(2, 1).recurrent(layer), device, 1)) {
      return model.read(model.parameterNames().get(1));
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    refused("[gru] expected units of at least 1, found 0", () -> Recurrent.gru(0));
    refused("[rnn] expected layers of at least 1, found 0", () -> Recurrent.rnn(2).layers(0));
    refused("[lstm] expected a dropout in [0, 1), found 1.0", () -> Recurrent.lstm(2).dropout(1));
    refused(
        "[lstm] expected a recurrent dropout in [0, 1), found -0.5",
        () -> Recurrent.lstm(2).recurrentDropout(-0.5));
    refused("[rnn] has no gate that keeps the state", () -> Recurrent.rnn(2).forgetBias(1));
    refused(
        "[gru] expected a finite forget bias, found NaN",
        () -> Recurrent.gru(2).forgetBias(Double.NaN));
    refused("[gru] only the vanilla cell can have relu", () -> Recurrent.gru(2).relu());
    refused(
        "[ugrnn] only a gru has a reset gate to put before the product",
        () -> Recurrent.ugrnn(2).resetBefore());
    ShapeException flat = assertThrows(ShapeException.class, () -> Net.input(5).gru(4));
    assertEquals(
        "gru0: [gru] expected sequences [N, T, features], found (2, 5)", flat.getMessage());
    ShapeException skip = assertThrows(ShapeException.class, () -> SEQUENCES.intersectionRnn(4));
    assertEquals(
        "intersectionRnn0.layer0: [intersectionRnn] expected as many features as units, 4 (put"
            + " dense(4) in front), found 5",
        skip.getMessage());
  }

  private static void refused(String message, Supplier<Recurrent> layer) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, layer::get).getMessage());
  }

  /// An IRNN that gets 1 at its first step and keeps it, but for what is dropped between steps: of
  /// two dropouts, one mask for all gives 4 in half of the units, two masks 4 in a quarter.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void recurrentDropout_hasOneMaskForASequence(Backends backend) {
    Recurrent layer = Recurrent.irnn(64).inputInitializer(Initializer.ones()).recurrentDropout(0.5);
    Net net = Net.input(3, 1).recurrent(layer.lastState());
    try (Trainer trainer = trainer(net, backend)) {
      float[] x = new float[64 * 3];
      for (int n = 0; n < 64; n++) {
        x[n * 3] = 1;
      }
      double mean = trainer.step(x, new float[64 * 64], 0); // the mean square
      // 4096 elements of 0 or 16: the mean's deviation is 0.125.
      assertEquals(8, mean, 0.5);
      double other = trainer.step(x, new float[64 * 64], 0);
      assertEquals(false, mean == other, "another mask at every step");
      float[] predicted = trainer.model().predict(x);
      float[] ones = new float[64 * 64];
      Arrays.fill(ones, 1);
      assertArrayEquals(ones, predicted);
    }
  }

  /// Two layers that hand on what they get: half of it is dropped between them, the rest doubled.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void dropout_isBetweenLayers(Backends backend) {
    Recurrent layer =
        Recurrent.rnn(64)
            .relu()
            .inputInitializer(Initializer.identity())
            .recurrentInitializer(Initializer.zeros())
            .dropout(0.5);
    float[] x = new float[32 * 2 * 64];
    Arrays.fill(x, 1);
    try (Trainer one = trainer(Net.input(2, 64).recurrent(layer), backend);
        Trainer two = trainer(Net.input(2, 64).recurrent(layer.layers(2)), backend)) {
      assertEquals(1, one.step(x, new float[x.length], 0));
      assertEquals(2, two.step(x, new float[x.length], 0), 0.2); // deviation 0.03
      assertArrayEquals(x, two.model().predict(x));
    }
  }

  private static Trainer trainer(Net net, Backends backend) {
    return Trainer.of(net)
        .on(backend.device())
        .loss(Loss.meanSquaredError())
        .optimizer(Optimizer.sgd(1));
  }

  /// A label for each step; negative ones do not count. The loss is the mean over the others.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void labels_areOfSteps(Backends backend) {
    Net net = Net.input(3, 2).gru(4).dense(5);
    RandomStream random = new RandomStream(1, 0);
    float[] x = new float[2 * 3 * 2];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    int[] labels = {4, 0, -1, 2, -1, -1};
    try (Trainer trainer = Trainer.of(net).on(backend.device()).optimizer(Optimizer.sgd(1))) {
      float[] outputs = trainer.model().predict(x);
      double expected = 0;
      for (int row = 0; row < labels.length; row++) {
        if (labels[row] >= 0) {
          double sum = 0;
          for (int k = 0; k < 5; k++) {
            sum += Math.exp(outputs[row * 5 + k]);
          }
          expected += (Math.log(sum) - outputs[row * 5 + labels[row]]) / 3;
        }
      }
      assertEquals(expected, trainer.step(x, labels, 0), 1e-6);
    }
  }

  /// In BF16 the products are, and the states are not: the losses stay near.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void bf16_staysNear(Backends backend) {
    Net net = Net.input(6, 3).recurrent(Recurrent.lstm(8).layers(2).bidirectional()).dense(4);
    RandomStream random = new RandomStream(2, 0);
    float[] x = new float[4 * 6 * 3];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    int[] labels = new int[24];
    Arrays.setAll(labels, i -> i % 4);
    double[] losses = new double[2];
    double first = 0;
    for (Precision precision : List.of(Precision.F32, Precision.BF16)) {
      try (Trainer trainer =
          Trainer.of(net).on(backend.device()).precision(precision).optimizer(Optimizer.sgd(0.5))) {
        first = trainer.step(x, labels, 0.5);
        for (int i = 0; i < 20; i++) {
          losses[precision == Precision.F32 ? 0 : 1] = trainer.step(x, labels, 0.5);
        }
      }
    }
    assertEquals(losses[0], losses[1], 0.01);
    assertEquals(true, losses[0] < first - 0.02, first + " became " + losses[0]);
  }
}
