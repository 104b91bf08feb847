package dev.gatun.diagnosis;

import static dev.gatun.Optimizer.adam;
import static dev.gatun.diagnosis.Cases.CLASSES;
import static dev.gatun.diagnosis.Cases.device;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Cell;
import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Initializer;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Recurrent;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Text;
import dev.gatun.diagnosis.GateReading.Gate;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Gates of recurrent layers: what is measured, and the faults found in it.
class GatesTest {
  private static final int UNITS = 4;
  private static final int FEATURES = 4;
  private static final int STEPS = 5;

  private static final int PADDING = 2;

  /// What the gates follow, by example and step.
  private static final int[][] SIGNS = {
    {1, 1, 1, -1, 0}, {-1, 1, 0, -1, 0}, {-1, 1, -1, PADDING, PADDING}
  };

  /// The sums of a gate are 20 times the sign of a step, for all units but the first few, which are
  /// always open: as many as the gate's number. So each gate of each cell has shares of its own,
  /// and these are known without a walk along the sequence.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void readings_areTheShares(Backends backend) {
    Map<Gate, Integer> lstm = Map.of(Gate.INPUT, 0, Gate.FORGET, 1, Gate.OUTPUT, 3);
    Map<Gate, Integer> gru = Map.of(Gate.RESET, 0, Gate.UPDATE, 1);
    for (boolean masked : new boolean[] {true, false}) {
      for (double sign : new double[] {1, -1}) {
        requireShares(backend, Recurrent.lstm(UNITS), lstm, masked, sign);
        requireShares(backend, Recurrent.lstm(UNITS).bidirectional(), lstm, masked, sign);
        requireShares(backend, Recurrent.gru(UNITS), gru, masked, sign);
        requireShares(backend, Recurrent.gru(UNITS).resetBefore().reverse(), gru, masked, sign);
        requireShares(backend, Recurrent.ugrnn(UNITS), Map.of(Gate.UPDATE, 1), masked, sign);
        requireShares(
            backend,
            Recurrent.intersection(UNITS).recurrentDropout(0.3),
            Map.of(Gate.SKIP, 2, Gate.UPDATE, 3),
            masked,
            sign);
      }
    }
  }

  /// @param sign -1 to exchange open and shut
  private static void requireShares(
      Backends backend, Recurrent plain, Map<Gate, Integer> gates, boolean masked, double sign) {
    Recurrent layer = masked ? plain.masked() : plain;
    float[] inputs = new float[SIGNS.length * STEPS * FEATURES];
    for (int n = 0; n < SIGNS.length; n++) {
      for (int t = 0; t < STEPS; t++) {
        boolean padding = SIGNS[n][t] == PADDING;
        inputs[(n * STEPS + t) * FEATURES] = padding ? 0 : SIGNS[n][t];
        inputs[(n * STEPS + t) * FEATURES + 1] = padding ? 0 : 1; // not all 0
      }
    }
    Net net = Net.input(STEPS, FEATURES).recurrent(layer.lastState()).dense(1);
    try (Trainer trainer = trainer(net, backend.device())) {
      String path = name(layer) + ".layer0";
      prepare(trainer, path, layer, sign);
      Minibatch batch = Minibatch.of(inputs, new float[SIGNS.length]);
      List<GateReading> readings = Doctor.of(trainer, List.of(batch)).inspect().gates();
      String what = layer + ", " + sign;
      assertEquals(
          gates.keySet().stream().sorted().toList(),
          readings.stream().map(GateReading::gate).toList(),
          what);
      for (GateReading reading : readings) {
        assertEquals(path, reading.path());
        requireShares(reading, gates.getOrDefault(reading.gate(), -1), layer, sign, what);
      }
    }
  }

  private static void requireShares(
      GateReading reading, int fixed, Recurrent layer, double sign, String what) {
    int directions = layer.direction().count();
    double moving = directions * (UNITS - fixed);
    double units = directions * UNITS;
    assertEquals(directions * UNITS, reading.units(), what);
    boolean masked = layer.options().contains(Recurrent.Option.MASKED);
    double all = 0;
    double ups = 0;
    double downs = 0;
    for (int t = 0; t < STEPS; t++) {
      double rows = 0;
      double up = 0;
      double down = 0;
      for (int[] signs : SIGNS) {
        if (signs[t] != PADDING || !masked) {
          rows++;
          up += signs[t] == 1 ? 1 : 0;
          down += signs[t] == -1 ? 1 : 0;
        }
      }
      double open = (units - moving + moving * up / rows) / units;
      double shut = moving * down / rows / units;
      String where = what + ", " + reading.gate() + ", step " + t;
      assertEquals(sign > 0 ? open : shut, reading.rightByStep().get(t), 1e-12, where);
      assertEquals(sign > 0 ? shut : open, reading.leftByStep().get(t), 1e-12, where);
      all += rows;
      ups += up;
      downs += down;
    }
    assertEquals(Math.round(all), reading.rows(), what);
    double open = (units - moving + moving * ups / all) / units;
    double shut = moving * downs / all / units;
    assertEquals(sign > 0 ? open : shut, reading.right(), 1e-12, what);
    assertEquals(sign > 0 ? shut : open, reading.left(), 1e-12, what);
    double always = (units - moving) / units;
    assertEquals(sign > 0 ? always : 0, reading.openUnits(), what);
    assertEquals(sign > 0 ? 0 : always, reading.shutUnits(), what);
    assertEquals(open + shut, reading.saturated(), 1e-12, what);
  }

  /// Rows of weights and offsets by direction, gate and unit.
  private static void prepare(Trainer trainer, String path, Recurrent layer, double sign) {
    int gates = layer.cell().gates();
    int rows = layer.direction().count() * gates * UNITS;
    float[] weights = new float[rows * FEATURES];
    float[] offsets = new float[rows];
    for (int row = 0; row < rows; row++) {
      boolean fixed = row % UNITS < row / UNITS % gates;
      weights[row * FEATURES] = fixed ? 0 : (float) (20 * sign);
      offsets[row] = fixed ? (float) (20 * sign) : 0;
    }
    trainer.model().write(path + ".inputWeight", weights);
    trainer.model().write(path + ".recurrentWeight", new float[rows * UNITS]);
    trainer.model().write(path + ".bias", offsets);
  }

  private static String name(Recurrent layer) {
    return switch (layer.cell()) {
      case LSTM -> "lstm0";
      case UGRNN -> "ugrnn0";
      case INTERSECTION -> "intersectionRnn0";
      default -> "gru0";
    };
  }

  private static Trainer trainer(Net net, Device device) {
    return Trainer.of(net).on(device).loss(Loss.meanSquaredError());
  }

  /// The products that layer norm saves lie behind the gates.
  @Test
  void normalisedLayers_haveTheirGates() {
    Net net = Net.input(STEPS, FEATURES).recurrent(Recurrent.lstm(UNITS).layerNorm()).dense(1);
    try (Trainer trainer = trainer(net, device())) {
      float[] offsets = new float[4 * UNITS];
      Arrays.fill(offsets, 0, UNITS, -30); // the input gate
      Arrays.fill(offsets, 3 * UNITS, 4 * UNITS, 30); // the output gate
      trainer.model().write("lstm0.layer0.bias", offsets);
      float[] inputs = normal(8 * STEPS * FEATURES, 1);
      Minibatch batch = Minibatch.of(inputs, new float[8 * STEPS]);
      Inspection seen = Doctor.of(trainer, List.of(batch)).inspect();
      assertEquals(
          List.of(1.0, 0.0, 0.0), seen.gates().stream().map(GateReading::shutUnits).toList());
      assertEquals(
          List.of(0.0, 0.0, 1.0), seen.gates().stream().map(GateReading::openUnits).toList());
      String line =
          seen.report().lines().filter(l -> l.startsWith("lstm0.layer0 in")).findFirst().orElse("");
      assertEquals(
          "lstm0.layer0 input       100 %   100 %  |█████|        0 %     0 %  |     |", line);
    }
  }

  @Test
  void vanillaCells_haveNone() {
    Net net = Net.input(STEPS, FEATURES).rnn(UNITS).dense(1);
    try (Trainer trainer = trainer(net, device())) {
      Minibatch batch = Minibatch.of(normal(40, 1), new float[10]);
      Inspection seen = Doctor.of(trainer, List.of(batch)).inspect();
      assertEquals(List.of(), seen.gates());
      assertTrue(!seen.report().contains("gate "), seen.report());
    }
  }

  // ---- faults
  // -------------------------------------------------------------------------------------

  private static final int LENGTH = 12;

  /// Sequences of points around a centre for each class.
  private static List<Minibatch> sequences() {
    float[] centres = normal(CLASSES * FEATURES, 3);
    RandomStream random = new RandomStream(4, 0);
    List<Minibatch> batches = new ArrayList<>();
    for (int b = 0; b < 10; b++) {
      float[] inputs = new float[32 * LENGTH * FEATURES];
      int[] labels = new int[32];
      for (int i = 0; i < inputs.length; i++) {
        int n = i / (LENGTH * FEATURES);
        labels[n] = i % (LENGTH * FEATURES) == 0 ? random.nextInt(CLASSES) : labels[n];
        inputs[i] = (float) (centres[labels[n] * FEATURES + i % FEATURES] + random.nextGaussian());
      }
      batches.add(Minibatch.of(inputs, labels));
    }
    return batches;
  }

  private static Diagnosis examine(Recurrent layer) {
    Net net = Net.input(LENGTH, FEATURES).recurrent(layer.lastState()).dense(CLASSES);
    try (Trainer trainer = Trainer.of(net).on(device()).optimizer(adam(0.01)).clipNorm(1)) {
      return Doctor.of(trainer, sequences()).examine();
    }
  }

  /// Offsets of -20, for from -8 an LSTM's run opens its forget gates in 60 steps.
  private static Stream<Arguments> faults() {
    Initializer heavy = Initializer.normal(10);
    return Stream.of(
        Arguments.of("shut gates", "the forget gate", Recurrent.lstm(16).forgetBias(-20)),
        Arguments.of("shut gates", "the update gate", Recurrent.gru(16).forgetBias(-20)),
        Arguments.of("shut gates", "the update gate", Recurrent.ugrnn(16).forgetBias(-20)),
        Arguments.of(
            "saturated gates",
            "of the input gate's numbers",
            Recurrent.lstm(16).inputInitializer(heavy)),
        Arguments.of(
            "saturated gates",
            "of the update gate's numbers",
            Recurrent.gru(16).inputInitializer(heavy)));
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("faults")
  void aFault_isFound(String problem, String words, Recurrent layer) {
    Cases.requireDocumented(problem);
    Diagnosis diagnosis = examine(layer);
    assertTrue(
        diagnosis.findings().stream()
            .anyMatch(
                finding ->
                    finding.problem().equals(problem)
                        && finding.where().endsWith(".layer0")
                        && finding.seen().contains(words)),
        diagnosis.report());
  }

  /// Gates that let nothing in or out are severe, on a model as it is.
  @Test
  void aShutInputOrOutput_isSevere() {
    for (int gate : new int[] {0, 3}) {
      Net net =
          Net.input(LENGTH, FEATURES).recurrent(Recurrent.lstm(16).lastState()).dense(CLASSES);
      try (Trainer trainer = Trainer.of(net).on(device())) {
        float[] offsets = trainer.model().read("lstm0.layer0.bias");
        Arrays.fill(offsets, gate * 16, gate * 16 + 16, -8);
        trainer.model().write("lstm0.layer0.bias", offsets);
        Inspection seen = Doctor.of(trainer, sequences()).inspect();
        Finding finding = new GateRule().apply(Examination.of(seen)).getFirst();
        assertEquals(Severity.SEVERE, finding.severity());
        assertEquals(
            "the %s gate of 100 %% of 16 units is below 0.1 at all steps of all examples"
                .formatted(gate == 0 ? "input" : "output"),
            finding.seen());
      }
    }
  }

  private static Stream<Recurrent> soundOnes() {
    return Stream.of(
        Recurrent.lstm(16),
        Recurrent.lstm(16).forgetBias(5), // long memories: open gates are no fault
        Recurrent.gru(16),
        Recurrent.ugrnn(16),
        Recurrent.of(Cell.INTERSECTION, FEATURES),
        Recurrent.lstm(16).layers(2).layerNorm().bidirectional());
  }

  @ParameterizedTest
  @MethodSource("soundOnes")
  void aSoundLayer_hasNoFault(Recurrent layer) {
    Diagnosis diagnosis = examine(layer);
    assertEquals(List.of(), diagnosis.findings(), diagnosis.report());
  }

  /// After long training many gates are at an end much of the time, as they should be; no rule
  /// takes that for a fault.
  @ParameterizedTest
  @EnumSource(
      value = Cell.class,
      names = {"LSTM", "GRU", "UGRNN"})
  void aTrainedNet_usesItsGates(Cell cell) {
    StringBuilder words = new StringBuilder();
    RandomStream random = new RandomStream(5, 0);
    for (int i = 0; i < 1500; i++) {
      words.append(List.of("sail ", "anchor ", "lock ", "tide ").get(random.nextInt(4)));
    }
    Text text = Text.of(words.toString());
    int characters = text.alphabet().size();
    Net net =
        Net.tokens(16)
            .embedding(characters, 16)
            .recurrent(Recurrent.of(cell, 32))
            .dense(characters);
    try (Trainer trainer =
        Trainer.of(net).on(device()).optimizer(adam(0.01)).clipNorm(1).carryStates()) {
      trainer.fit(text.batches(16, 16), Span.epochs(20));
      Inspection seen = Doctor.of(trainer, text.batches(16, 16)).inspect();
      double most = seen.gates().stream().mapToDouble(GateReading::saturated).max().orElse(0);
      assertTrue(most > 0.3, seen.report());
      assertEquals(List.of(), new GateRule().apply(Examination.of(seen)), seen.report());
    }
  }

  private static float[] normal(int count, long seed) {
    RandomStream random = new RandomStream(seed, 0);
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    return numbers;
  }
}
