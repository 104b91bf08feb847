package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Cell;
import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Direction;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Mode;
import dev.gatun.Recurrent;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What recurrent layers compute, in F64: by their formulas in plain loops, golden values, and as
/// one another.
class RecurrentTest {
  private static final int BATCH = 3;
  private static final int STEPS = 5;
  private static final int UNITS = 4;
  private static final double STRIDE = 1e-5;
  private Scope scope = Scope.open();

  @BeforeEach
  void open() {
    scope.close();
    scope = Scope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void cells_areTheirFormulas(Backends backend) {
    for (Cell cell : Cell.values()) {
      for (Direction direction : Direction.values()) {
        Recurrent layer = with(Recurrent.of(cell, UNITS), direction);
        expectLoops(backend, layer, cell.hasSkip() ? UNITS : 2, 1e-12);
      }
    }
  }

  private static void expectLoops(
      Backends backend, Recurrent layer, int features, double tolerance) {
    Tensor x = inputs(backend.device(), STEPS, features);
    Trace trace = trace(backend.device(), Map.of());
    double[] found = layer.apply(trace, x).toDoubleArray();
    Sequences expected = RecurrentLoops.run(layer, 0, Sequences.of(x), trace.parameters());
    assertArrayEquals(expected.elements(), found, tolerance, layer.toString());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void layers_readTheOutputsOfTheOneBelow(Backends backend) {
    Recurrent layer = Recurrent.lstm(UNITS).layers(3).bidirectional();
    Tensor x = inputs(backend.device(), STEPS, 2);
    Trace trace = trace(backend.device(), Map.of());
    double[] found = layer.apply(trace, x).toDoubleArray();
    Sequences expected = Sequences.of(x);
    for (int k = 0; k < 3; k++) {
      expected = RecurrentLoops.run(layer, k, expected, trace.parameters());
    }
    assertArrayEquals(expected.elements(), found, 1e-12);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void layerNorm_isItsFormula(Backends backend) {
    for (Cell cell : Cell.values()) {
      for (Direction direction : Direction.values()) {
        Recurrent layer = with(Recurrent.of(cell, UNITS).layerNorm(), direction);
        expectLoops(backend, layer, cell.hasSkip() ? UNITS : 2, 1e-11);
      }
    }
  }

  /// With a gain of 0 for the states' products it is as if their weights were 0, and so it is for
  /// one unit of one gate, whose products are all their own mean.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void layerNorm_withoutGainOrOfOneUnitForgetsTheState(Backends backend) {
    Device device = backend.device();
    for (Cell cell : Cell.values()) {
      for (int units : cell.gates() == 1 ? new int[] {UNITS, 1} : new int[] {UNITS}) {
        Recurrent layer = Recurrent.of(cell, units).layerNorm();
        Tensor x = inputs(device, STEPS, units);
        Trace trace = trace(device, Map.of());
        double[] plain = layer.apply(trace, x).toDoubleArray();
        Map<String, Tensor> without = new HashMap<>(trace.parameters());
        Tensor zeros = Tensor.zeros(device, DType.F64, (long) cell.gates() * units, units);
        without.put("layer0.recurrentWeight", zeros);
        double[] expected = layer.apply(trace(device, without), x).toDoubleArray();
        Map<String, Tensor> gainless = new HashMap<>(trace.parameters());
        if (units > 1) {
          Tensor none = Tensor.zeros(device, DType.F64, (long) cell.gates() * units);
          gainless.put("layer0.recurrentNorm", none);
          assertTrue(distance(expected, plain) > 1e-2, cell.toString());
        }
        double[] found = layer.apply(trace(device, gainless), x).toDoubleArray();
        assertArrayEquals(expected, found, 1e-14, cell + " of " + units);
      }
    }
  }

  /// What the paper calls re-scaling and re-centring of weights: all of a layer's times a number,
  /// or all rows plus the same one, change nothing. The weights are so large that epsilon is
  /// nothing.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void layerNorm_knowsNeitherScaleNorCentreOfTheWeights(Backends backend) {
    Device device = backend.device();
    for (Cell cell : Cell.values()) {
      Recurrent layer = Recurrent.of(cell, UNITS).layerNorm();
      Tensor x = inputs(device, STEPS, UNITS);
      Trace trace = trace(device, Map.of());
      layer.apply(trace, x);
      Map<String, Tensor> large = new HashMap<>(trace.parameters());
      Map<String, Tensor> other = new HashMap<>(trace.parameters());
      for (String name : List.of("layer0.inputWeight", "layer0.recurrentWeight")) {
        Tensor weights = Objects.requireNonNull(large.get(name)).times(1e5);
        Tensor row = Tensor.randn(device, 9, 1, UNITS).as(DType.F64).times(3e4);
        large.put(name, weights);
        other.put(name, weights.plus(row).times(7));
      }
      double[] expected = layer.apply(trace(device, large), x).toDoubleArray();
      double[] found = layer.apply(trace(device, other), x).toDoubleArray();
      assertArrayEquals(expected, found, 1e-8, cell.toString());
    }
  }

  private static double distance(double[] a, double[] b) {
    double most = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs(a[i] - b[i]));
    }
    return most;
  }

  /// The state after the step that is taken last, which is the sequence's end or its beginning.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void lastState_isTheOutputOfTheLastStep(Backends backend) {
    for (Direction direction : Direction.values()) {
      Recurrent layer = with(Recurrent.gru(UNITS).layers(2), direction);
      Tensor x = inputs(backend.device(), STEPS, 2);
      Trace trace = trace(backend.device(), Map.of());
      double[] all = layer.apply(trace, x).toDoubleArray();
      Tensor last = layer.lastState().apply(trace, x);
      int width = direction.count() * UNITS;
      assertEquals(Shape.of(BATCH, width), last.shape());
      double[] found = last.toDoubleArray();
      for (int i = 0; i < BATCH * width; i++) {
        boolean atStart = direction == Direction.REVERSE || i % width >= UNITS;
        int step = atStart ? 0 : STEPS - 1;
        assertEquals(all[(i / width * STEPS + step) * width + i % width], found[i]);
      }
    }
  }

  /// One step from h = (0.2, -0.4) with x = 0.7, W = (1, -1) and the offsets -B of lectures. The
  /// gate of the UGRNN has matrices of its own.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void oneStep_isGolden(Backends backend) {
    double[] vanilla = {0.5, -0.25, 0.1, 0.2};
    double[] sums = {0.7 - 0.1, -0.7 + 0.1};
    assertArrayEquals(
        new double[] {0.68997448, 0.34073961},
        step(backend.device(), Cell.SIGMOID, vanilla, sums),
        1e-8);
    double[] both = {0.5, -0.25, 0.1, 0.2, 0.3, 0, 0, 0.3};
    double[] bothSums = {0.7 - 0.1, -0.7 + 0.1, 0.35 + 1, 0.35 - 1};
    assertArrayEquals(
        new double[] {0.29105982, -0.52191512},
        step(backend.device(), Cell.UGRNN, both, bothSums),
        1e-8);
  }

  private static double[] step(Device device, Cell cell, double[] weights, double[] sums) {
    dev.gatun.graph.op.Recurrent op =
        new dev.gatun.graph.op.Recurrent(
            cell, Direction.FORWARD, false, true, false, false, false, 0);
    Tensor x = Tensor.of(device, sums, 1, 1, sums.length);
    Tensor matrix = Tensor.of(device, weights, sums.length, 2);
    Tensor first = Tensor.of(device, new double[] {0.2, -0.4}, 1, 1, 2);
    return Tensor.applyAll(op, List.of(x, matrix, first)).getFirst().toDoubleArray();
  }

  /// Both directions are one forward and one on reversed sequences, its outputs reversed.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void bidirectional_isForwardAndReversedOfReversed(Backends backend) {
    Device device = backend.device();
    for (Cell cell : Cell.values()) {
      Tensor x = inputs(device, STEPS, UNITS);
      Trace trace = trace(device, Map.of());
      Tensor y = Recurrent.of(cell, UNITS).bidirectional().apply(trace, x);
      Map<String, Tensor> forward = new HashMap<>();
      Map<String, Tensor> backward = new HashMap<>();
      trace
          .parameters()
          .forEach(
              (name, both) -> {
                forward.put(name, half(both, 0));
                backward.put(name, half(both, 1));
              });
      Recurrent one = Recurrent.of(cell, UNITS);
      Sequences ahead = Sequences.of(one.apply(trace(device, forward), x));
      Tensor reversed = Sequences.of(x).reversed().tensor(device);
      Sequences back = Sequences.of(one.apply(trace(device, backward), reversed)).reversed();
      assertArrayEquals(ahead.beside(back).elements(), y.toDoubleArray(), 1e-14, cell.toString());
    }
  }

  /// With its reset gate at 1 a GRU is a UGRNN; both forms of it.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void gru_withoutResetIsUgrnn(Backends backend) {
    Device device = backend.device();
    Tensor x = inputs(device, STEPS, 2);
    Trace ugrnn = trace(device, Map.of());
    double[] expected = Recurrent.ugrnn(UNITS).apply(ugrnn, x).toDoubleArray();
    for (Recurrent gru : List.of(Recurrent.gru(UNITS), Recurrent.gru(UNITS).resetBefore())) {
      Map<String, Tensor> parameters = new HashMap<>();
      ugrnn
          .parameters()
          .forEach((name, both) -> parameters.put(name, resetThenGateThenCandidate(both)));
      parameters.put("layer0.recurrentBias", Tensor.zeros(device, DType.F64, UNITS));
      double[] found = gru.apply(trace(device, parameters), x).toDoubleArray();
      assertArrayEquals(expected, found, 1e-14, gru.toString());
    }
  }

  /// Weights of candidate and gate as those of reset gate, gate and candidate; the first one's sums
  /// are 1000 or, in matrices, 0.
  private static Tensor resetThenGateThenCandidate(Tensor both) {
    double[] from = both.toDoubleArray();
    int each = from.length / 2;
    double[] to = new double[3 * each];
    for (int i = 0; i < each; i++) {
      to[i] = both.shape().rank() == 1 ? 1000 : 0;
      to[each + i] = from[each + i];
      to[2 * each + i] = from[i];
    }
    return Tensor.of(both.device(), to, both.shape().with(0, 3 * UNITS).toArray());
  }

  /// Sequences with steps of zeros behind them give what they give without: outputs, final states
  /// and gradients. Reading backwards, the padding comes first.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void padding_changesNothing(Backends backend) {
    Device device = backend.device();
    for (Cell cell : Cell.values()) {
      Recurrent layer = Recurrent.of(cell, UNITS).layers(2).masked();
      layer = cell.hasSkip() ? layer : layer.bidirectional();
      Recurrent states = layer.lastState();
      Tensor x = inputs(device, STEPS, UNITS);
      Tensor padded = Sequences.of(x).padded(STEPS + 2).tensor(device);
      Trace trace = trace(device, Map.of());
      Tensor plain = layer.apply(trace, x);
      Tensor y = layer.apply(trace, padded);
      double[] expected = Sequences.of(plain).padded(STEPS + 2).elements();
      assertArrayEquals(expected, y.toDoubleArray(), 1e-14, cell.toString());
      assertArrayEquals(
          states.apply(trace, x).toDoubleArray(),
          states.apply(trace, padded).toDoubleArray(),
          1e-14,
          cell.toString());
      List<double[]> wanted = gradients(layer, trace.parameters(), x);
      List<double[]> found = gradients(layer, trace.parameters(), padded);
      for (int i = 0; i < wanted.size(); i++) {
        assertArrayEquals(wanted.get(i), found.get(i), 1e-12, cell.toString());
      }
    }
  }

  /// Gradients of every parameter and input along 20 steps, by central differences.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void gradients_areTheSlopesThroughTwentySteps(Backends backend) {
    for (Cell cell : Cell.values()) {
      expectSlopes(backend.device(), Recurrent.of(cell, 3), 1e-7);
    }
  }

  /// The same of layers that normalise. Their slopes are steep where a sequence's products are
  /// nearly equal, and so are the differences' errors.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void gradients_ofLayerNormAreTheSlopesThroughTwentySteps(Backends backend) {
    for (Cell cell : Cell.values()) {
      expectSlopes(backend.device(), Recurrent.of(cell, 5).layerNorm(), 1e-6);
    }
  }

  private static void expectSlopes(Device device, Recurrent layer, double tolerance) {
    Cell cell = layer.cell();
    Tensor x = inputs(device, 20, layer.units());
    Trace trace = trace(device, Map.of());
    TensorFunction loss = in -> layer.apply(trace, in[0]).square().sum();
    layer.apply(trace, x);
    List<String> names = List.copyOf(trace.parameters().keySet());
    List<double[]> found = gradients(layer, trace.parameters(), x);
    for (int k = 0; k < names.size(); k++) {
      Tensor own = Objects.requireNonNull(trace.parameters().get(names.get(k)));
      double[] elements = own.toDoubleArray();
      for (int i = 0; i < elements.length; i++) {
        double[] losses = new double[2];
        for (int side = 0; side < 2; side++) {
          double[] moved = elements.clone();
          moved[i] += side == 0 ? -STRIDE : STRIDE;
          Map<String, Tensor> parameters = new HashMap<>(trace.parameters());
          parameters.put(names.get(k), Tensor.of(device, moved, own.shape().toArray()));
          losses[side] = layer.apply(trace(device, parameters), x).square().sum().item();
        }
        double slope = (losses[1] - losses[0]) / (2 * STRIDE);
        assertEquals(slope, found.get(k)[i], tolerance, cell + " " + names.get(k) + " " + i);
      }
    }
    double[] dx = Functions.grad(loss).apply(x).getFirst().toDoubleArray();
    double[] elements = x.toDoubleArray();
    for (int i = 0; i < elements.length; i++) {
      double[] ahead = elements.clone();
      double[] behind = elements.clone();
      ahead[i] += STRIDE;
      behind[i] -= STRIDE;
      double rise =
          loss.apply(Tensor.of(device, ahead, x.shape().toArray())).item()
              - loss.apply(Tensor.of(device, behind, x.shape().toArray())).item();
      assertEquals(rise / (2 * STRIDE), dx[i], tolerance, cell + " input " + i);
    }
  }

  /// Those of the sum of squared outputs, by each parameter in order.
  private static List<double[]> gradients(
      Recurrent layer, Map<String, Tensor> parameters, Tensor x) {
    List<String> names = List.copyOf(parameters.keySet());
    TensorFunction loss =
        in -> {
          Map<String, Tensor> given = new HashMap<>();
          for (int i = 0; i < names.size(); i++) {
            given.put(names.get(i), in[i]);
          }
          return layer.apply(trace(x.device(), given), x).square().sum();
        };
    List<double[]> gradients = new ArrayList<>();
    Tensor[] inputs = names.stream().map(parameters::get).toArray(Tensor[]::new);
    Functions.grad(loss).apply(inputs).forEach(slope -> gradients.add(slope.toDoubleArray()));
    return gradients;
  }

  private static Recurrent with(Recurrent layer, Direction direction) {
    return switch (direction) {
      case FORWARD -> layer;
      case REVERSE -> layer.reverse();
      case BOTH -> layer.bidirectional();
    };
  }

  private static Trace trace(Device device, Map<String, Tensor> parameters) {
    return new Trace(device, Mode.TRAINING, parameters);
  }

  private static Tensor inputs(Device device, int steps, int features) {
    return Tensor.randn(device, 7, BATCH, steps, features).as(DType.F64);
  }

  private static Tensor half(Tensor both, int which) {
    double[] from = both.toDoubleArray();
    double[] to = new double[from.length / 2];
    System.arraycopy(from, which * to.length, to, 0, to.length);
    return Tensor.of(both.device(), to, both.shape().with(0, both.shape().dim(0) / 2).toArray());
  }
}
