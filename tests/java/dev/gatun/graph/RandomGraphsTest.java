package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Precision;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Random graphs fused, planned and recorded against the same op by op on `reference`, and their
/// gradients against finite differences. `-Drandom.graphs=2000 -Drandom.seed=7` tries others.
class RandomGraphsTest {
  private static final int GRAPHS = Integer.getInteger("random.graphs", 60);
  private static final long FIRST = Long.getLong("random.seed", 1) << 32;

  /// A check of the graph of one seed.
  private interface Check {
    void on(long seed);
  }

  private static void each(Check check) {
    for (long seed = FIRST; seed < FIRST + GRAPHS; seed++) {
      try {
        check.on(seed);
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("graph %d of seed %d".formatted(seed - FIRST, FIRST >> 32), e);
      }
    }
  }

  private static RandomGraphs graph(long seed, DType real, Precision precision) {
    return new RandomGraphs(seed, real, precision, false);
  }

  private static List<double[]> opByOp(RandomGraphs graphs) {
    return Runs.interpret(
        Backends.REFERENCE.backend(), graphs.graph, graphs.leaves, graphs.results);
  }

  private static List<double[]> executed(Backend backend, RandomGraphs graphs, Set<Value> held) {
    return Runs.execute(backend, graphs.graph, graphs.leaves, graphs.results, held);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void trainingIsThatOpByOp(Backends backend) {
    each(
        seed -> {
          List<double[]> expected = opByOp(graph(seed, DType.F64, Precision.F32).training(25));
          RandomGraphs fused = graph(seed, DType.F64, Precision.F32).training(25);
          Runs.assertSame(expected, executed(backend.backend(), fused, Set.of()), 1e-9);
        });
  }

  /// With batch norms folded into the weights, and what depends on weights alone computed once.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void inferenceIsThatOpByOp(Backends backend) {
    each(
        seed -> {
          List<double[]> expected = opByOp(graph(seed, DType.F64, Precision.F32).inference(25));
          RandomGraphs fused = graph(seed, DType.F64, Precision.F32).inference(25);
          Runs.assertSame(expected, executed(backend.backend(), fused, fused.weights), 1e-9);
        });
  }

  /// Rounding to BF16 moves all but the loss too far to compare.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void trainingInBf16HasTheLossOpByOp(Backends backend) {
    each(
        seed -> {
          List<double[]> expected = opByOp(graph(seed, DType.F32, Precision.BF16).training(15));
          RandomGraphs fused = graph(seed, DType.F32, Precision.BF16).training(15);
          List<double[]> actual = executed(backend.backend(), fused, Set.of());
          Runs.assertSame(expected.subList(0, 1), actual.subList(0, 1), 0.05);
        });
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void gradientsAreFiniteDifferences(Backends backend) {
    each(
        seed -> {
          RandomGraphs smooth = new RandomGraphs(seed, DType.F64, Precision.F32, true).training(12);
          assertSlope(backend.backend(), smooth, smooth.results.getFirst(), seed);
        });
  }

  /// Of the first gradients' product with a vector, for as many graphs as have second ones.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void secondGradientsAreFiniteDifferences(Backends backend) {
    List<Long> done = new ArrayList<>();
    each(
        seed -> {
          RandomGraphs smooth = new RandomGraphs(seed, DType.F64, Precision.F32, true).training(4);
          List<Value> variables = List.copyOf(smooth.variables);
          List<Value> slopes = Gradients.of(smooth.results.getFirst(), variables);
          Tensor along = slopes.getFirst().sum();
          for (Value slope : slopes) {
            along = along.plus(slope.times(smooth.leaf(slope.shape().toArray())).sum());
          }
          try {
            Gradients.of((Value) along, variables);
          } catch (UnsupportedOperationException e) {
            return; // such as that of a norm
          }
          assertSlope(backend.backend(), smooth, (Value) along, seed);
          done.add(seed);
        });
    assertTrue(done.size() > GRAPHS / 3, done.size() + " graphs");
  }

  /// Compares the gradient of `f` with central differences along a random direction through all
  /// variables. The step that fits best counts: what a graph is made of may be steep.
  private static void assertSlope(Backend backend, RandomGraphs graphs, Value f, long seed) {
    List<Value> variables = List.copyOf(graphs.variables);
    List<Value> wanted = new ArrayList<>(List.of(f));
    wanted.addAll(Gradients.of(f, variables));
    graphs.graph.removeDead(wanted);
    List<double[]> found = Runs.interpret(backend, graphs.graph, graphs.leaves, wanted);
    SplittableRandom random = new SplittableRandom(seed);
    Map<Value, double[]> direction = new HashMap<>();
    double along = 0;
    double size = 1e-3;
    for (int v = 0; v < variables.size(); v++) {
      double[] gradient = found.get(1 + v);
      double[] by = new double[gradient.length];
      for (int i = 0; i < by.length; i++) {
        by[i] = random.nextGaussian();
        along += by[i] * gradient[i];
        size += Math.abs(by[i] * gradient[i]);
      }
      direction.put(variables.get(v), by);
    }
    double least = Double.POSITIVE_INFINITY;
    for (double h : new double[] {1e-4, 1e-5, 1e-6}) {
      double above = moved(backend, graphs, f, direction, h);
      double below = moved(backend, graphs, f, direction, -h);
      least = Math.min(least, Math.abs((above - below) / (2 * h) - along) / size);
    }
    assertEquals(0, least, 1e-5, "along a random direction");
  }

  private static double moved(
      Backend backend, RandomGraphs graphs, Value f, Map<Value, double[]> direction, double by) {
    Map<Value, double[]> leaves = new LinkedHashMap<>();
    graphs.leaves.forEach(
        (leaf, elements) -> {
          double[] there = elements.clone();
          double[] way = direction.getOrDefault(leaf, new double[there.length]);
          for (int i = 0; i < there.length; i++) {
            there[i] += by * way[i];
          }
          leaves.put(leaf, there);
        });
    return Runs.interpret(backend, graphs.graph, leaves, List.of(f)).getFirst()[0];
  }
}
