package dev.gatun.graph;

import dev.gatun.Precision;
import java.util.ArrayList;
import java.util.List;

/// One use of an op in a graph.
public final class Node {
  private final Op op;
  private final List<Value> inputs;
  private final List<Value> outputs = new ArrayList<>();
  private final String path;
  private final Precision precision;

  Node(Op op, List<Value> inputs, String path, Precision precision) {
    this.op = op;
    this.inputs = new ArrayList<>(inputs);
    this.path = path;
    this.precision = precision;
  }

  /// What is computed.
  public Op op() {
    return op;
  }

  /// The operands.
  public List<Value> inputs() {
    return inputs;
  }

  /// The results.
  public List<Value> outputs() {
    return outputs;
  }

  /// The layer this stands in, such as `stage1.block0.conv1`; empty outside any.
  public String path() {
    return path;
  }

  /// What the graph computed in when this was added.
  public Precision precision() {
    return precision;
  }

  @Override
  public String toString() {
    return outputs + " = " + op + inputs + (path.isEmpty() ? "" : " at " + path);
  }
}
