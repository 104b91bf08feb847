package dev.gatun.graph;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A compiled graph: one arena and one recorded program. Running it is one call and allocates
/// nothing.
public final class Executable implements AutoCloseable {
  private final Memory arena;
  private final Program program;

  private Executable(Memory arena, Program program) {
    this.arena = arena;
    this.program = program;
  }

  /// Compiles what `results` need of `graph`, which is consumed: fused, planned and recorded.
  ///
  /// @param leaves the memory of each leaf
  /// @param results the memory each result is stored to, all of it when [#run] returns
  public static Executable compile(
      Backend backend, Graph graph, List<Placement> leaves, List<Placement> results) {
    List<Value> roots = results.stream().map(Placement::value).toList();
    Fusion.apply(graph, roots);
    Plan plan = Plan.of(graph, leaves, results);
    Memory arena = backend.allocate(plan.arenaBytes(), Memory.Kind.DEVICE);
    try {
      return new Executable(arena, record(backend, graph, plan, arena));
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /// Runs the program.
  public void run() {
    program.run();
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
    arena.close();
  }

  private static Program record(Backend backend, Graph graph, Plan plan, Memory arena) {
    Map<Value, View> views = new HashMap<>();
    try {
      return backend.record(
          recorder -> {
            for (Node node : graph.nodes()) {
              if (!node.op().isAlias()) {
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
