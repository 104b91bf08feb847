package dev.gatun.graph;

import dev.gatun.Tensor;
import org.jspecify.annotations.Nullable;

/// A symbolic tensor: the output of a node, or a leaf that is given from outside.
public final class Value extends Tensor {
  private final Graph graph;
  private final String name;
  private @Nullable Node producer;

  Value(Graph graph, TensorType type, String name, @Nullable Node producer) {
    super(type.dtype(), type.shape());
    this.graph = graph;
    this.name = name;
    this.producer = producer;
  }

  /// The graph this belongs to.
  public Graph graph() {
    return graph;
  }

  /// The node that computes this, null for a leaf.
  public @Nullable Node producer() {
    return producer;
  }

  /// Makes `node` the producer, when a rewrite computes this value in another way; null makes this
  /// a leaf.
  void producedBy(@Nullable Node node) {
    producer = node;
  }

  /// The dtype and shape together.
  public TensorType type() {
    return TensorType.of(this);
  }

  /// Symbolic tensors own nothing.
  @Override
  public void close() {}

  @Override
  public String toString() {
    return "%" + name + ": " + type();
  }
}
