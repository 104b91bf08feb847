package dev.gatun.graph;

import java.util.List;

/// Removes what no result needs, and applies the rules until none fits.
final class Fusion {
  private static final List<Rule> RULES =
      List.of(new FuseBias(), new FuseResidual(), new FuseRelu(), new FuseBatchNormGate());

  private Fusion() {}

  static void apply(Graph graph, List<Value> results) {
    apply(graph, results, RULES);
  }

  static void apply(Graph graph, List<Value> results, List<Rule> rules) {
    graph.removeDead(results);
    Rewriter rewriter = new Rewriter(graph, results);
    for (Rule rule : rules) {
      int index = 0;
      while (index < graph.nodes().size()) {
        index = rule.apply(rewriter, index) ? 0 : index + 1;
      }
    }
  }
}
