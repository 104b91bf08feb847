package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.Precision;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.graph.op.Convert;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// A computation as data, in SSA form. Nodes run in list order; an op that overwrites memory which
/// others read (the optimizer's step) is simply the last. Not thread-safe.
public final class Graph {
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Value, Tensor> constants = new LinkedHashMap<>();
  private final Deque<String> path = new ArrayDeque<>();
  private final Map<Value, Value> converted = new HashMap<>();
  private Precision precision;
  private int names;

  /// A graph in F32: ops get their inputs as they are.
  public Graph() {
    this(Precision.F32);
  }

  /// A graph whose ops get inputs converted to what `precision` wants them in, and multiply in what
  /// it says.
  public Graph(Precision precision) {
    this.precision = precision;
  }

  /// The same for ops that are applied from here on.
  public void computeIn(Precision other) {
    precision = other;
  }

  /// A leaf whose memory is bound when the graph is compiled.
  public Value leaf(String name, TensorType type) {
    return new Value(this, type, name, null);
  }

  /// The nodes in order of execution.
  public List<Node> nodes() {
    return nodes;
  }

  /// Leaves that stand for tensors which exist already.
  public Map<Value, Tensor> constants() {
    return constants;
  }

  /// Adds a node. Concrete tensors among the inputs become constants.
  ///
  /// @throws ShapeException with the current path in front, if the inputs do not fit
  public List<Value> apply(Op op, List<? extends Tensor> inputs) {
    List<Value> values = new ArrayList<>(inputs.size());
    for (Tensor input : inputs) {
      values.add(value(input));
    }
    if (precision == Precision.BF16) {
      List<Value> given = List.copyOf(values);
      values.replaceAll(value -> convert(value, given, op));
    }
    Node node = node(op, values);
    nodes.add(node);
    return node.outputs();
  }

  private Value convert(Value value, List<Value> inputs, Op op) {
    DType dtype = MixedPrecision.wanted(op, inputs, inputs.indexOf(value));
    if (dtype == value.dtype()) {
      return value;
    }
    // Of F32 and BF16, the other one.
    return converted.computeIfAbsent(
        value, key -> apply(new Convert(dtype), List.of(key)).getFirst());
  }

  /// Puts a node in front of all others.
  public List<Value> applyFirst(Op op, List<Value> inputs) {
    Node node = node(op, inputs);
    nodes.addFirst(node);
    return node.outputs();
  }

  /// Makes the output of `node` a leaf, whose memory holds what the node would compute.
  public Value turnIntoLeaf(Node node) {
    nodes.remove(node);
    Value output = node.outputs().getFirst();
    output.producedBy(null);
    return output;
  }

  /// `tensor` as a value of this graph: itself if it is symbolic, a constant if it is concrete.
  public Value value(Tensor tensor) {
    if (tensor instanceof Value value) {
      if (value.graph() != this) {
        throw new IllegalArgumentException(
            "a symbolic tensor belongs to another trace: "
                + value
                + "; return it from the function that made it");
      }
      return value;
    }
    for (Map.Entry<Value, Tensor> constant : constants.entrySet()) {
      if (constant.getValue().equals(tensor)) {
        return constant.getKey();
      }
    }
    Value value = leaf("constant" + constants.size(), TensorType.of(tensor));
    constants.put(value, tensor);
    return value;
  }

  /// Makes a node without adding it, for rewrites that choose its place.
  Node node(Op op, List<Value> inputs) {
    return node(op, inputs, path(), precision);
  }

  Node node(Op op, List<Value> inputs, String at, Precision in) {
    List<TensorType> types;
    try {
      types = op.infer(inputs.stream().map(Value::type).toList());
    } catch (ShapeException e) {
      throw at.isEmpty() ? e : new ShapeException(at + ": " + e.getMessage());
    }
    Node node = new Node(op, inputs, at, in);
    for (TensorType type : types) {
      node.outputs().add(new Value(this, type, Integer.toString(names++), node));
    }
    return node;
  }

  /// The layer path that new nodes get, such as `stage1.block0`.
  public String path() {
    return path.reversed().stream()
        .filter(layer -> !layer.isEmpty())
        .collect(Collectors.joining("."));
  }

  /// Enters a layer; [#leave] ends it.
  public void enter(String layer) {
    path.push(layer);
  }

  /// Leaves the layer entered last.
  public void leave() {
    path.pop();
  }

  /// Runs `body`, whose nodes get `whole` for their path wherever the graph stands now.
  void at(String whole, Runnable body) {
    List<String> outer = List.copyOf(path);
    path.clear();
    path.push(whole);
    try {
      body.run();
    } finally {
      path.clear();
      path.addAll(outer);
    }
  }

  /// Removes the nodes that `results` do not depend on.
  void removeDead(List<Value> results) {
    Set<Value> needed = new HashSet<>(results);
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      if (node.outputs().stream().anyMatch(needed::contains)) {
        needed.addAll(node.inputs());
      } else {
        nodes.remove(i);
      }
    }
  }
}
