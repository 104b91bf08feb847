package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Copy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The memory of what a step hands on to the next: see [LayerContext#carried].
final class CarriedStates implements AutoCloseable {
  private final List<NetTrace.State> states;
  private final Slab slab;

  CarriedStates(Backend backend, NetTrace trace) {
    states = trace.carried();
    Map<String, Shape> shapes = new LinkedHashMap<>();
    states.forEach(state -> shapes.put(state.name(), state.leaf().shape()));
    slab = new Slab(backend, "carried states", shapes);
    reset();
  }

  /// Where the program finds what the step before left.
  List<Placement> leaves() {
    List<Placement> leaves = new ArrayList<>();
    states.forEach(state -> leaves.add(new Placement(state.leaf(), slab.slot(state.name()))));
    return leaves;
  }

  /// Where the program puts what the next step finds; to be called when all is in the graph that
  /// reads what is there now.
  ///
  /// @param updates what becomes of those that change
  void store(Graph graph, Map<NetTrace.State, Value> updates, List<Placement> results) {
    updates.forEach(
        (state, next) -> {
          Value last = graph.apply(new Copy(), List.of(next)).getFirst();
          results.add(new Placement(last, slab.slot(state.name())));
        });
  }

  /// The memory.
  Slab slab() {
    return slab;
  }

  /// Zeros, as at the beginning.
  void reset() {
    for (NetTrace.State state : states) {
      slab.write(state.name(), new float[Math.toIntExact(state.leaf().shape().count())]);
    }
  }

  @Override
  public void close() {
    slab.close();
  }
}
