package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Memory;
import dev.gatun.backend.reference.ReferenceBackend;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Copy;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Where plans put values: whoever reads one finds it there, and little memory is used.
class PlanTest {
  private static final Backend BACKEND = new ReferenceBackend();

  @AfterAll
  static void close() {
    BACKEND.close();
  }

  /// A planned graph, and the memory it was given.
  private static final class Planned implements AutoCloseable {
    final Graph graph;
    final List<Placement> given = new ArrayList<>();
    final List<Placement> wanted = new ArrayList<>();
    final Plan plan;

    Planned(Nets nets, List<Value> results) {
      this.graph = nets.graph;
      nets.leaves.keySet().forEach(leaf -> given.add(place(leaf)));
      results.forEach(result -> wanted.add(place(result)));
      plan = Plan.of(graph, given, wanted);
    }

    private static Placement place(Value value) {
      return new Placement(
          value, new Slot(BACKEND.allocate(value.type().bytes(), Memory.Kind.DEVICE), 0));
    }

    /// Walks through the program and keeps account of what every byte holds, with no regard for how
    /// the plan was made.
    void checkThatReadersFindTheirValues() {
      Map<Object, @Nullable Value[]> bytes = new HashMap<>();
      given.forEach(placement -> fill(bytes, placement.value(), placement.value()));
      for (Node node : graph.nodes()) {
        for (Value input : node.inputs()) {
          assertHolds(bytes, input, node);
        }
        if (node.op().isAlias()) {
          continue;
        }
        for (int k = 0; k < node.outputs().size(); k++) {
          for (int j = 0; j < node.inputs().size(); j++) {
            checkOverlap(node, k, j);
          }
        }
        node.outputs().forEach(output -> fill(bytes, output, output));
        node.outputs().forEach(output -> assertHolds(bytes, output, node));
      }
      for (Placement placement : wanted) {
        Value root = root(placement.value());
        @Nullable Value[] stored = bytes.getOrDefault(placement.slot().memory(), new Value[0]);
        for (Value held : stored) {
          assertTrue(
              held != null && (root(held) == root || isCopy(held, root)),
              () -> placement.value() + " is not in its slot at the end");
        }
      }
    }

    /// An output may touch an input's bytes only where the op works in place, all of them, and
    /// once.
    private void checkOverlap(Node node, int k, int j) {
      Value output = node.outputs().get(k);
      Value input = node.inputs().get(j);
      boolean apart =
          !place(plan.locate(output)).equals(place(plan.locate(input)))
              || start(output) >= start(input) + input.type().bytes()
              || start(input) >= start(output) + output.type().bytes();
      boolean same = start(output) == start(input) && output.type().equals(input.type());
      assertTrue(
          apart || (same && node.op().inPlace(k, j)),
          () -> "%s writes over its input %s".formatted(node, input));
    }

    private void fill(Map<Object, @Nullable Value[]> bytes, Value at, Value held) {
      @Nullable Value[] area = area(bytes, at);
      Arrays.fill(area, (int) start(at), (int) (start(at) + at.type().bytes()), held);
    }

    private void assertHolds(Map<Object, @Nullable Value[]> bytes, Value value, Node reader) {
      @Nullable Value[] area = area(bytes, value);
      for (long i = start(value); i < start(value) + value.type().bytes(); i++) {
        Value held = area[(int) i];
        assertTrue(
            held != null && root(held) == root(value),
            () -> "%s needs %s, whose memory holds %s".formatted(reader, value, held));
      }
    }

    private @Nullable Value[] area(Map<Object, @Nullable Value[]> bytes, Value value) {
      Plan.Location location = plan.locate(value);
      long size = location.slot() == null ? plan.arenaBytes() : location.slot().memory().bytes();
      return bytes.computeIfAbsent(place(location), any -> new @Nullable Value[(int) size]);
    }

    private long start(Value value) {
      return plan.locate(value).offset();
    }

    private Object place(Plan.Location location) {
      return location.slot() == null ? plan : location.slot().memory();
    }

    private static boolean isCopy(Value held, Value of) {
      Node producer = held.producer();
      return producer != null
          && producer.op().equals(new Copy())
          && root(producer.inputs().getFirst()) == of;
    }

    private static Value root(Value value) {
      Node producer = value.producer();
      return producer != null && producer.op().isAlias()
          ? root(producer.inputs().getFirst())
          : value;
    }

    /// The bytes of all values that the plan puts into the arena, if each had a place of its own.
    long sum() {
      return graph.nodes().stream()
          .filter(node -> !node.op().isAlias())
          .flatMap(node -> node.outputs().stream())
          .filter(output -> plan.locate(output).slot() == null)
          .mapToLong(output -> output.type().bytes())
          .sum();
    }

    @Override
    public void close() {
      given.forEach(placement -> placement.slot().memory().close());
      wanted.forEach(placement -> placement.slot().memory().close());
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
  void readersFindTheirValuesInRandomNets(long seed) {
    Nets nets = new Nets(seed);
    List<Value> results = nets.randomResults(30);
    if (seed % 2 == 0) {
      Fusion.apply(nets.graph, results);
    }
    try (Planned planned = new Planned(nets, results)) {
      planned.checkThatReadersFindTheirValues();
      assertTrue(planned.plan.arenaBytes() < planned.sum());
    }
  }

  @Test
  void readersFindTheirValuesInAResidualNet() {
    Nets nets = new Nets(1);
    List<Value> results = residualResults(nets);
    Fusion.apply(nets.graph, results);
    try (Planned planned = new Planned(nets, results)) {
      planned.checkThatReadersFindTheirValues();
      long arena = planned.plan.arenaBytes();
      assertTrue(arena < 0.6 * planned.sum(), arena + " of " + planned.sum() + " bytes");
    }
  }

  @ParameterizedTest
  @MethodSource("backendsAndSeeds")
  void plannedProgramsComputeWhatTheNodesDo(Backends backends, DType dtype, long seed) {
    sameBits(backends, dtype, seed, nets -> nets.randomResults(25));
  }

  @ParameterizedTest
  @MethodSource("backendsAndSeeds")
  void aPlannedResidualNetComputesWhatTheNodesDo(Backends backends, DType dtype, long seed) {
    sameBits(backends, dtype, seed, PlanTest::residualResults);
  }

  static Stream<Arguments> backendsAndSeeds() {
    return Arrays.stream(Backends.values())
        .flatMap(
            backends ->
                LongStream.rangeClosed(1, 8)
                    .mapToObj(
                        seed ->
                            Arguments.of(backends, seed % 2 == 0 ? DType.F32 : DType.F64, seed)));
  }

  private static void sameBits(
      Backends backends, DType dtype, long seed, Function<Nets, List<Value>> net) {
    Backend backend = backends.backend();
    Nets expected = new Nets(seed, dtype);
    List<Value> expectedResults = net.apply(expected);
    Fusion.apply(expected.graph, expectedResults);
    Nets actual = new Nets(seed, dtype);
    List<Value> actualResults = net.apply(actual);
    Runs.assertSame(
        Runs.interpret(backend, expected.graph, expected.leaves, expectedResults),
        Runs.execute(backend, actual.graph, actual.leaves, actualResults),
        0);
  }

  @Test
  void aChainOfElementwiseOpsNeedsOnePlace() {
    Nets nets = new Nets(1);
    Value y = (Value) nets.leaf(10, 10).exp().plus(1).relu().sqrt().tanh().sum();
    try (Planned planned = new Planned(nets, List.of(y))) {
      planned.checkThatReadersFindTheirValues();
      assertEquals(800, planned.plan.arenaBytes());
    }
  }

  @Test
  void anOperandThatIsReadLaterIsNotOverwritten() {
    Nets nets = new Nets(1);
    Value x = nets.leaf(10, 10);
    Value a = (Value) x.exp();
    Value b = (Value) a.sqrt();
    Value y = (Value) b.times(a).sum();
    try (Planned planned = new Planned(nets, List.of(y))) {
      planned.checkThatReadersFindTheirValues();
      assertEquals(832 + 800, planned.plan.arenaBytes());
    }
  }

  @Test
  void anOperandThatIsReadTwiceAtOnceIsNotOverwritten() {
    Nets nets = new Nets(1);
    Value a = (Value) nets.leaf(10, 10).exp();
    Value square = (Value) a.times(a);
    try (Planned planned = new Planned(nets, List.of((Value) square.sum()))) {
      assertNotEquals(planned.plan.locate(a), planned.plan.locate(square));
    }
  }

  /// Steps that follow read it too, and none computes it again.
  @Test
  void whatIsPreparedIsNeverOverwritten() {
    Nets nets = new Nets(1);
    Value prepared = (Value) nets.leaf(10, 10).exp();
    Value sum = (Value) prepared.plus(nets.leaf(10, 10));
    Value later = (Value) nets.leaf(10, 10).tanh();
    Value y = (Value) sum.times(later).sum();
    List<Placement> given = nets.leaves.keySet().stream().map(Planned::place).toList();
    List<Placement> wanted = List.of(Planned.place(y));
    Node preparing = Objects.requireNonNull(prepared.producer());
    try {
      Plan plan = Plan.of(nets.graph, given, wanted, Set.of(preparing));
      assertNotEquals(plan.locate(prepared), plan.locate(sum));
      assertNotEquals(plan.locate(prepared), plan.locate(later));
    } finally {
      given.forEach(placement -> placement.slot().memory().close());
      wanted.forEach(placement -> placement.slot().memory().close());
    }
  }

  @Test
  void offsetsAreMultiplesOfACacheLine() {
    Nets nets = new Nets(3);
    List<Value> results = nets.randomResults(20);
    try (Planned planned = new Planned(nets, results)) {
      for (Node node : planned.graph.nodes()) {
        for (Value output : node.outputs()) {
          assertEquals(0, planned.plan.locate(output).offset() % 64);
        }
      }
    }
  }

  /// Leaves, views of leaves, one value twice, and a value beside its own view.
  @Test
  void resultsThatShareMemoryAreCopied() {
    Nets nets = new Nets(4);
    Value x = nets.leaf(2, 3);
    Value y = (Value) x.exp();
    List<Value> results =
        List.of(x, (Value) x.reshape(6), x, y, (Value) y.reshape(3, 2), y, (Value) y.reshape(6, 1));
    List<double[]> stored = Runs.execute(BACKEND, nets.graph, nets.leaves, results);
    double[] exponentials = Arrays.stream(nets.leaves.get(x)).map(Math::exp).toArray();
    for (int k = 0; k < 7; k++) {
      assertArrayEquals(k < 3 ? nets.leaves.get(x) : exponentials, stored.get(k), "result " + k);
    }
  }

  @Test
  void aViewAloneIsComputedInItsSlot() {
    Nets nets = new Nets(4);
    Value y = (Value) nets.leaf(2, 3).exp().reshape(6);
    try (Planned planned = new Planned(nets, List.of(y))) {
      planned.checkThatReadersFindTheirValues();
      assertEquals(0, planned.plan.arenaBytes());
      assertEquals(2, planned.graph.nodes().size());
    }
  }

  /// As the optimizer's step does, last of all: x becomes exp(x) + x.
  @Test
  void aResultMayReplaceALeaf() {
    Nets nets = new Nets(1);
    Value x = nets.leaf(1);
    Value y = (Value) x.exp().plus(x);
    try (Memory memory = BACKEND.allocate(8, Memory.Kind.DEVICE)) {
      memory.map().putDouble(0, 1);
      Slot slot = new Slot(memory, 0);
      List<Placement> given = List.of(new Placement(x, slot));
      List<Placement> wanted = List.of(new Placement(y, slot));
      try (Executable executable = Executable.compile(BACKEND, nets.graph, given, wanted)) {
        executable.run();
        assertEquals(1 + Math.E, memory.map().getDouble(0), 1e-12);
        executable.run();
        assertEquals(1 + Math.E + Math.exp(1 + Math.E), memory.map().getDouble(0), 1e-12);
      }
    }
  }

  /// A slot may be read again through a leaf that covers several slots, as the optimizer reads a
  /// slab.
  @Test
  void aLaterNodeReadsWhatAResultHasStored() {
    Nets nets = new Nets(1);
    Value x = nets.leaf(2);
    Value slab = nets.leaf(4);
    List<Value> halves = List.of((Value) x.times(2), (Value) x.times(3));
    Value sum = (Value) slab.sum();
    try (Memory memory = BACKEND.allocate(16, Memory.Kind.DEVICE);
        Memory flat = BACKEND.allocate(32, Memory.Kind.DEVICE);
        Memory total = BACKEND.allocate(8, Memory.Kind.DEVICE)) {
      memory.map().putDouble(0, 1).putDouble(8, 10);
      List<Placement> given =
          List.of(new Placement(x, new Slot(memory, 0)), new Placement(slab, new Slot(flat, 0)));
      List<Placement> wanted =
          List.of(
              new Placement(halves.get(0), new Slot(flat, 0)),
              new Placement(halves.get(1), new Slot(flat, 16)),
              new Placement(sum, new Slot(total, 0)));
      try (Executable executable = Executable.compile(BACKEND, nets.graph, given, wanted)) {
        executable.run();
        assertEquals(55, total.map().getDouble(0));
      }
    }
  }

  private static List<Value> residualResults(Nets nets) {
    Value loss = nets.residualLoss();
    List<Value> results = new ArrayList<>(List.of(loss));
    results.addAll(
        Gradients.of(
            loss, nets.leaves.keySet().stream().filter(leaf -> leaf.dtype().isReal()).toList()));
    return results;
  }

  /// Values that are alike in all that counts lie in the order of the nodes, so that a network
  /// takes the same memory in every process.
  @Test
  void plansOfTheSameGraph_areTheSame() {
    Set<List<Long>> plans = new HashSet<>();
    for (int run = 0; run < 20; run++) {
      Graph graph = new Graph();
      List<Placement> leaves = new ArrayList<>();
      List<Value> inputs = new ArrayList<>();
      for (Shape shape :
          List.of(Shape.of(8, 4), Shape.of(4), Shape.of(4), Shape.of(4), Shape.of(4))) {
        Value leaf = graph.leaf("leaf" + inputs.size(), new TensorType(DType.F32, shape));
        inputs.add(leaf);
        leaves.add(Planned.place(leaf));
      }
      List<Value> outputs =
          graph.apply(new BatchNormTraining(0.1, 1e-5, false, Activation.NONE), inputs);
      Plan plan = Plan.of(graph, leaves, List.of());
      plans.add(outputs.stream().map(output -> plan.locate(output).offset()).toList());
      leaves.forEach(leaf -> leaf.slot().memory().close());
    }
    assertEquals(Set.of(List.of(0L, 128L, 192L, 256L, 320L)), plans);
  }
}
