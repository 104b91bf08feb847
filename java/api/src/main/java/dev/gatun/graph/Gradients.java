package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.Precision;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.graph.op.Convert;
import dev.gatun.graph.op.Full;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reverse-mode differentiation: walks the nodes backwards and asks each op for its rule.
public final class Gradients {
  private Gradients() {}

  /// Appends to the graph of `scalar` the nodes that compute its gradients with respect to
  /// `variables`, and returns them in that order. A variable that the scalar does not depend on has
  /// zeros for gradient.
  ///
  /// @throws ShapeException if `scalar` is not a real scalar
  public static List<Value> of(Value scalar, List<Value> variables) {
    if (!scalar.dtype().isReal() || !scalar.shape().equals(Shape.scalar())) {
      throw new ShapeException(
          "[grad] only a real scalar can be differentiated, found "
              + scalar.type()
              + "; reduce it first, by mean() or sum()");
    }
    Graph graph = scalar.graph();
    List<Node> forward = List.copyOf(graph.nodes());
    Set<Value> active = dependents(forward, variables);
    Map<Value, Tensor> gradients = new HashMap<>();
    gradients.put(scalar, full(graph, scalar.dtype(), Shape.scalar(), 1));

    for (int i = forward.size() - 1; i >= 0; i--) {
      Node node = forward.get(i);
      List<@Nullable Tensor> outputGradients = new ArrayList<>();
      boolean reached = false;
      for (Value output : node.outputs()) {
        Tensor gradient = gradients.get(output);
        outputGradients.add(gradient);
        reached |= gradient != null;
      }
      if (!reached || node.inputs().stream().noneMatch(active::contains)) {
        continue;
      }
      graph.at(node.path(), () -> flow(node, outputGradients, active, gradients));
    }

    List<Value> results = new ArrayList<>();
    for (Value variable : variables) {
      Tensor gradient = gradients.get(variable);
      results.add(
          gradient instanceof Value value
              ? value
              : full(graph, variable.dtype(), variable.shape(), 0));
    }
    return results;
  }

  /// Adds what `node` sends back to the gradients of its inputs.
  private static void flow(
      Node node,
      List<@Nullable Tensor> outputGradients,
      Set<Value> active,
      Map<Value, Tensor> gradients) {
    List<Tensor> inputs = List.copyOf(node.inputs());
    List<Tensor> outputs = List.copyOf(node.outputs());
    List<@Nullable Tensor> inputGradients =
        node.op().gradient(new Op.Local(inputs, outputs, outputGradients));
    for (int k = 0; k < inputs.size(); k++) {
      Tensor gradient = inputGradients.get(k);
      Value input = node.inputs().get(k);
      if (gradient != null && active.contains(input)) {
        gradients.merge(input, typed(node, input, gradient), Tensor::plus);
      }
    }
  }

  /// `gradient` in the type of `input`; or in F32, as sums over BF16 are, where it goes on to what
  /// was converted to BF16. A graph that converts by itself needs no help.
  private static Tensor typed(Node node, Value input, Tensor gradient) {
    if (node.precision() == Precision.BF16) {
      return gradient;
    }
    Node producer = input.producer();
    boolean converted = producer != null && producer.op() instanceof Convert;
    boolean wide = converted && input.dtype() == DType.BF16;
    return gradient.as(wide ? DType.F32 : input.dtype());
  }

  private static Set<Value> dependents(List<Node> nodes, List<Value> variables) {
    Set<Value> active = new HashSet<>(variables);
    for (Node node : nodes) {
      if (node.inputs().stream().anyMatch(active::contains)) {
        active.addAll(node.outputs());
      }
    }
    return active;
  }

  private static Value full(Graph graph, DType dtype, Shape shape, double value) {
    return graph.apply(new Full(new TensorType(dtype, shape), value), List.of()).getFirst();
  }
}
