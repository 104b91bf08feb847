package dev.gatun.graph;

import dev.gatun.Precision;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Products;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A compiled graph: one arena and one recorded program. Running it is one call and allocates
/// nothing. What depends on constants alone is a program of its own, [#prepare].
public final class Executable implements AutoCloseable {
  private final Memory arena;
  private final Program preparation;
  private final Program program;

  private Executable(Memory arena, Program preparation, Program program) {
    this.arena = arena;
    this.preparation = preparation;
    this.program = program;
  }

  /// Compiles what `results` need of `graph`, which is consumed: fused, planned and recorded.
  ///
  /// @param leaves the memory of each leaf
  /// @param results the memory each result is stored to, all of it when [#run] returns
  public static Executable compile(
      Backend backend, Graph graph, List<Placement> leaves, List<Placement> results) {
    return compile(backend, graph, leaves, results, Set.of());
  }

  /// The same for a program that also runs on frames.
  ///
  /// @param frames null for none
  public static Executable compile(
      Backend backend,
      Graph graph,
      List<Placement> leaves,
      List<Placement> results,
      Backend.@Nullable Frames frames) {
    return compile(backend, graph, leaves, results, Set.of(), frames);
  }

  /// The same for a graph some of whose leaves seldom change. What depends on them alone is
  /// computed by [#prepare], which must run before the first [#run] and again whenever one of them
  /// has changed; batch norms by running estimates are folded into the weights before them.
  ///
  /// @param constants leaves that [#run] does not write
  public static Executable compile(
      Backend backend,
      Graph graph,
      List<Placement> leaves,
      List<Placement> results,
      Set<Value> constants) {
    return compile(backend, graph, leaves, results, constants, null);
  }

  private static Executable compile(
      Backend backend,
      Graph graph,
      List<Placement> leaves,
      List<Placement> results,
      Set<Value> constants,
      Backend.@Nullable Frames frames) {
    List<Value> roots = results.stream().map(Placement::value).toList();
    if (constants.isEmpty()) {
      Fusion.apply(graph, roots);
    } else {
      Fusion.apply(graph, roots, constants);
    }
    Set<Node> prepared = dependOnlyOn(constants, graph, roots);
    List<Node> first = graph.nodes().stream().filter(prepared::contains).toList();
    graph.nodes().removeAll(prepared);
    graph.nodes().addAll(0, first);
    Plan plan = Plan.of(graph, leaves, results, prepared);
    List<Node> others = graph.nodes().stream().filter(node -> !prepared.contains(node)).toList();
    Memory arena = backend.allocate(plan.arenaBytes(), Memory.Kind.DEVICE, "values of a step");
    try {
      Program preparation = record(backend, first, Set.of(), plan, arena, null);
      try {
        Set<Value> held = new LinkedHashSet<>(constants);
        first.forEach(node -> held.addAll(node.outputs()));
        Program program = record(backend, others, held, plan, arena, frames);
        return new Executable(arena, preparation, program);
      } catch (RuntimeException | Error e) {
        preparation.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /// The nodes that need nothing but constants; not those of results, which each run stores, nor
  /// what results are other forms of.
  private static Set<Node> dependOnlyOn(Set<Value> constants, Graph graph, List<Value> results) {
    Set<Value> stored = results.stream().map(Plan::root).collect(Collectors.toSet());
    Set<Value> known = new HashSet<>(constants);
    Set<Node> nodes = new LinkedHashSet<>();
    for (Node node : graph.nodes()) {
      if (!node.inputs().isEmpty()
          && known.containsAll(node.inputs())
          && node.outputs().stream().noneMatch(stored::contains)) {
        nodes.add(node);
        known.addAll(node.outputs());
      }
    }
    return nodes;
  }

  /// Computes what depends on constants alone.
  public void prepare() {
    preparation.run();
    program.refresh();
  }

  /// Runs the program.
  public void run() {
    program.run();
  }

  /// See [Program#feed].
  public void feed(int first, int count) {
    program.feed(first, count);
  }

  /// See [Program#start].
  public void start(int first, int count) {
    program.start(first, count);
  }

  /// See [Program#await].
  public void await() {
    program.await();
  }

  /// How many instructions a run executes.
  public long instructions() {
    return program.instructions();
  }

  /// The bytes of the arena.
  public long arenaBytes() {
    return arena.bytes();
  }

  @Override
  public void close() {
    program.close();
    preparation.close();
    arena.close();
  }

  /// @param held what no run of the program changes
  private static Program record(
      Backend backend,
      List<Node> nodes,
      Set<Value> held,
      Plan plan,
      Memory arena,
      Backend.@Nullable Frames frames) {
    Map<Value, View> views = new HashMap<>();
    Set<Value> told = new HashSet<>();
    try {
      return backend.record(
          frames,
          recorder -> {
            Products products = Products.F32;
            for (Node node : nodes) {
              if (!node.op().isAlias()) {
                Products wanted = node.precision() == Precision.TF32 ? Products.TF32 : Products.F32;
                if (wanted != products) {
                  recorder.multiplyIn(wanted);
                  products = wanted;
                }
                List<Value> read =
                    node.inputs().stream().filter(v -> held.contains(v) && told.add(v)).toList();
                views(read, plan, arena, views).forEach(recorder::hold);
                node.op()
                    .lower(
                        recorder,
                        views(node.outputs(), plan, arena, views),
                        views(node.inputs(), plan, arena, views));
              }
            }
          });
    } finally {
      views.values().forEach(View::close);
    }
  }

  private static List<View> views(
      List<Value> values, Plan plan, Memory arena, Map<Value, View> views) {
    List<View> result = new ArrayList<>(values.size());
    for (Value value : values) {
      result.add(
          views.computeIfAbsent(
              value,
              key -> {
                Plan.Location location = plan.locate(key);
                Slot slot = location.slot();
                Memory memory = slot == null ? arena : slot.memory();
                return memory.view(location.offset(), key.dtype(), key.shape());
              }));
    }
    return result;
  }
}
