package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.graph.op.Elementwise;
import dev.gatun.suite.Backends;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Chains of elementwise ops become one instruction, and their results keep every bit.
class FuseElementwiseTest {
  /// Writes a graph and gives its results.
  interface Net extends Function<Nets, List<Value>> {}

  /// Nets of elementwise ops alone, and how many instructions they are fused.
  private static final Map<String, Net> CHAINS = new LinkedHashMap<>();

  private static final Map<String, Integer> INSTRUCTIONS = new LinkedHashMap<>();

  static {
    chain("SiLU", 1, n -> one(silu(n.leaf(33, 70))));
    chain("GELU", 1, n -> one(gelu(n.leaf(33, 70))));
    chain("a chain as long as may be", 1, n -> one(tower(n.leaf(9, 5), Backend.MAX_STEPS)));
    chain("a longer one", 2, n -> one(tower(n.leaf(9, 5), Backend.MAX_STEPS + 1)));
    chain("the sum of eight", 1, n -> one(sum(n, Backend.MAX_STEP_INPUTS)));
    chain("the sum of nine", 2, n -> one(sum(n, Backend.MAX_STEP_INPUTS + 1)));
    chain(
        "broadcast operands",
        1,
        n -> one(n.leaf(5, 7, 11).times(n.leaf(11)).plus(n.leaf(7, 1)).relu().times(n.leaf())));
    chain("an operand that is expanded", 1, n -> one(n.leaf(7, 1).expand(7, 11).plus(n.leaf(11))));
    chain(
        "two chains that meet",
        1,
        n -> one(n.leaf(6, 7).tanh().abs().times(n.leaf(6, 7).sigmoid().negate())));
    chain(
        "a value that the chain itself reads twice",
        1,
        n -> {
          Tensor y = n.leaf(6, 7).sigmoid();
          return one(y.minus(y.square()));
        });
    chain(
        "what lies between is smaller than the result",
        2,
        n -> one(n.leaf(1, 11).tanh().plus(n.leaf(7, 11))));
    chain(
        "what lies between is a result",
        2,
        n -> {
          Tensor y = n.leaf(6, 7).tanh();
          return List.of((Value) y.square(), (Value) y);
        });
    chain(
        "another op reads what lies between",
        3,
        n -> {
          Tensor y = n.leaf(6, 7).tanh();
          return List.of((Value) y.square(), (Value) y.permute(1, 0));
        });
    chain(
        "a result is stored between the two ops",
        3,
        n -> {
          Value x = n.leaf(6, 7);
          Tensor early = x.tanh();
          Value stored = (Value) x.abs();
          return List.of(stored, (Value) early.times(2));
        });
  }

  private static void chain(String name, int instructions, Net net) {
    CHAINS.put(name, net);
    INSTRUCTIONS.put(name, instructions);
  }

  static Stream<Arguments> chains() {
    return Arrays.stream(new DType[] {DType.F32, DType.BF16, DType.F64})
        .flatMap(dtype -> CHAINS.keySet().stream().map(name -> Arguments.of(dtype, name)));
  }

  private static Tensor sum(Nets nets, int terms) {
    Tensor sum = nets.leaf(4, 3);
    for (int i = 1; i < terms; i++) {
      sum = sum.plus(nets.leaf(4, 3));
    }
    return sum;
  }

  private static Tensor tower(Tensor x, int height) {
    Tensor y = x;
    for (int i = 0; i < height; i++) {
      y = i % 2 == 0 ? y.times(0.7) : y.tanh();
    }
    return y;
  }

  private static Tensor silu(Tensor x) {
    return x.times(x.sigmoid());
  }

  /// By the hyperbolic tangent.
  private static Tensor gelu(Tensor x) {
    Tensor inner = x.square().times(x).times(0.044715).plus(x).times(Math.sqrt(2 / Math.PI));
    return x.times(inner.tanh().times(0.5).plus(0.5));
  }

  private static List<Value> one(Tensor result) {
    return List.of((Value) result);
  }

  @ParameterizedTest
  @MethodSource("chains")
  void chainsBecomeOneInstruction(DType dtype, String name) {
    Nets nets = new Nets(7, dtype);
    Fusion.apply(nets.graph, net(name).apply(nets));
    assertEquals(INSTRUCTIONS.get(name), nets.graph.nodes().size(), nets.graph.nodes().toString());
  }

  @ParameterizedTest
  @MethodSource("chains")
  void everyBitStays(DType dtype, String name) {
    for (Backends backends : Backends.values()) {
      Nets plain = new Nets(7, dtype);
      List<Value> expected = net(name).apply(plain);
      Nets fused = new Nets(7, dtype);
      List<Value> actual = net(name).apply(fused);
      Runs.assertSame(
          Runs.interpret(backends.backend(), plain.graph, plain.leaves, expected),
          Runs.execute(backends.backend(), fused.graph, fused.leaves, actual),
          0);
    }
  }

  /// Backwards too: gates, products and sums of gradients between the reductions.
  @ParameterizedTest
  @ValueSource(strings = {"SiLU", "GELU", "two chains that meet"})
  void everyBitOfTheGradientStays(String name) {
    List<List<double[]>> both = new ArrayList<>();
    for (boolean fuse : new boolean[] {false, true}) {
      Nets nets = new Nets(3, DType.F32);
      Value loss = (Value) net(name).apply(nets).getFirst().square().sum();
      List<Value> results = new ArrayList<>(List.of(loss));
      results.addAll(Gradients.of(loss, List.copyOf(nets.leaves.keySet())));
      Fusion.apply(nets.graph, results, fuse ? List.of(new FuseElementwise()) : List.of());
      both.add(Runs.interpret(Backends.CPU.backend(), nets.graph, nets.leaves, results));
      long chains =
          nets.graph.nodes().stream().filter(node -> node.op() instanceof Elementwise).count();
      assertEquals(fuse, chains > 0);
    }
    Runs.assertSame(both.getFirst(), both.getLast(), 0);
  }

  /// An op before, whose operand's memory a result takes in between, would come too late.
  @Test
  void whatIsReadIsNotOverwrittenBefore() {
    Nets nets = new Nets(5, DType.F32);
    Value x = nets.leaf(50);
    Tensor before = x.times(2);
    Value moved = (Value) x.plus(1);
    Value late = (Value) before.plus(moved);
    assertEquals(1, firstOf(nets, x, moved, late), "2 * 0 + (0 + 1)");
  }

  /// The first element of `late` where x, of 50 zeros, is overwritten by `moved`.
  private static float firstOf(Nets nets, Value x, Value moved, Value late) {
    Backend backend = Backends.REFERENCE.backend();
    try (Memory memory = backend.allocate(200, Memory.Kind.DEVICE);
        Memory other = backend.allocate(200, Memory.Kind.DEVICE)) {
      ByteBuffer zeros = ByteBuffer.allocate(200);
      memory.write(0, zeros);
      try (Executable executable =
          Executable.compile(
              backend,
              nets.graph,
              List.of(new Placement(x, new Slot(memory, 0))),
              List.of(
                  new Placement(moved, new Slot(memory, 0)),
                  new Placement(late, new Slot(other, 0))))) {
        executable.run();
      }
      ByteBuffer bytes = ByteBuffer.allocate(200).order(ByteOrder.nativeOrder());
      other.read(0, bytes);
      return bytes.flip().getFloat();
    }
  }

  /// The same where the result is another form of what is computed: that takes its place at once.
  @Test
  void whatIsReadIsNotOverwrittenBefore_byWhatIsReshapedLater() {
    Nets nets = new Nets(5, DType.F32);
    Value x = nets.leaf(50);
    Tensor before = x.times(2);
    Tensor moved = x.plus(1);
    Value late = (Value) before.plus(moved);
    Value reshaped = (Value) moved.reshape(5, 10);
    assertEquals(1, firstOf(nets, x, reshaped, late), "2 * 0 + (0 + 1)");
  }

  private static Net net(String name) {
    Net net = CHAINS.get(name);
    if (net == null) {
      throw new IllegalArgumentException(name);
    }
    return net;
  }
}
