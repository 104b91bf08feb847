package dev.gatun.graph;

/// A rewrite that saves memory traffic and leaves every result as it was, up to rounding. The new
/// node computes the very values of the nodes it replaces, so nobody else has to change.
interface Rule {
  /// Tries to rewrite at the node with this index. Returns whether the graph changed.
  boolean apply(Rewriter graph, int index);
}
