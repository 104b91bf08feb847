package dev.gatun.graph;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What rules do to a graph: look up readers, and put one node in the place of others.
final class Rewriter {
  private final Graph graph;
  private final List<Value> results;
  private final Set<Value> stored; // where they are computed; what comes after shares memory
  private final Map<Value, Integer> readers = new HashMap<>();
  private int counted; // nodes whose operands are in `readers`

  Rewriter(Graph graph, List<Value> results) {
    this.graph = graph;
    this.results = results;
    this.stored = results.stream().map(Plan::root).collect(Collectors.toSet());
    count();
  }

  List<Node> nodes() {
    return graph.nodes();
  }

  Node node(int index) {
    return graph.nodes().get(index);
  }

  /// How many operands read `value`; being a result counts as one.
  int readers(Value value) {
    return readers.getOrDefault(value, 0);
  }

  /// The node that makes `value` as its output 0 with an op of type `type` and has no other reader
  /// of it, if so.
  @Nullable Node soleProducer(Value value, Class<? extends Op> type) {
    Node producer = value.producer();
    boolean fits =
        producer != null
            && type.isInstance(producer.op())
            && producer.outputs().getFirst() == value
            && readers(value) == 1;
    return fits ? producer : null;
  }

  /// Whether any node from the one after `from` up to `to` reads an output of `from`, `to` itself
  /// excepted.
  boolean readBetween(Node from, Node to) {
    int start = nodes().indexOf(from) + 1;
    int end = nodes().indexOf(to);
    return nodes().subList(start, end).stream()
        .anyMatch(node -> node.inputs().stream().anyMatch(from.outputs()::contains));
  }

  /// Whether any node between these two, themselves excepted, computes a result.
  boolean resultBetween(Node from, Node to) {
    int start = nodes().indexOf(from) + 1;
    int end = nodes().indexOf(to);
    return nodes().subList(start, end).stream()
        .anyMatch(node -> node.outputs().stream().anyMatch(stored::contains));
  }

  /// Whether `value` is a leaf or comes from a node before `node`.
  boolean isComputedBefore(Value value, Node node) {
    return value.producer() == null || nodes().indexOf(value.producer()) < nodes().indexOf(node);
  }

  /// Moves the nodes from index `first` on, those added last, in front of `node`.
  void moveBefore(Node node, int first) {
    List<Node> tail = nodes().subList(first, nodes().size());
    List<Node> added = List.copyOf(tail);
    tail.clear();
    nodes().addAll(nodes().indexOf(node), added);
    count();
  }

  /// Puts a node for `op` on `inputs` in the place of `position`, lets it compute `outputs`, and
  /// removes `replaced`. An output that is null is new. Returns the node.
  Node replace(
      Node position,
      Op op,
      List<Value> inputs,
      List<@Nullable Value> outputs,
      List<Node> replaced) {
    Node fused = graph.node(op, inputs, position.path(), position.precision());
    for (int i = 0; i < outputs.size(); i++) {
      Value output = outputs.get(i);
      if (output != null) {
        fused.outputs().set(i, output);
        output.producedBy(fused);
      }
    }
    boolean allCounted = nodes().size() == counted;
    Set<Node> gone = new HashSet<>(replaced);
    gone.add(position);
    nodes().set(nodes().indexOf(position), fused);
    nodes().removeAll(gone);
    if (allCounted) { // in a deep net, counting all anew each time would take most of the time
      count(fused, 1);
      gone.forEach(node -> count(node, -1));
      counted = nodes().size();
    } else {
      count();
    }
    return fused;
  }

  private void count() {
    readers.clear();
    graph.nodes().forEach(node -> count(node, 1));
    results.forEach(result -> readers.merge(result, 1, Integer::sum));
    counted = graph.nodes().size();
  }

  private void count(Node node, int change) {
    node.inputs().forEach(input -> readers.merge(input, change, Integer::sum));
  }
}
