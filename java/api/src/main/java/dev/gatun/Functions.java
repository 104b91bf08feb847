package dev.gatun;

import dev.gatun.graph.Gradients;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Reshape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// What can be done to functions over tensors: differentiate and compile them.
///
/// ```java
/// Functions.TensorFunction loss = in -> in[0].matmul(in[1]).square().mean();
/// List<Tensor> gradients = Functions.grad(loss).apply(x, w);
/// ```
public final class Functions {
  private Functions() {}

  /// A function with one result. It must be pure: what it does beside making tensors happens once
  /// per trace.
  @FunctionalInterface
  public interface TensorFunction {
    /// The result for `inputs`.
    Tensor apply(Tensor... inputs);
  }

  /// A function with several results.
  @FunctionalInterface
  public interface TensorsFunction {
    /// The results for `inputs`.
    List<Tensor> apply(Tensor... inputs);
  }

  /// The gradients of `function`, a real scalar, with respect to its inputs that are real, in their
  /// order; integer inputs are taken as constants and left out. Works on symbolic tensors too, so
  /// gradients can be differentiated and compiled.
  public static TensorsFunction grad(TensorFunction function) {
    return inputs -> withoutValue(valueAndGrad(function, inputs));
  }

  /// Like [#grad], with the value of `function` in front.
  public static TensorsFunction valueAndGrad(TensorFunction function) {
    return inputs -> valueAndGrad(function, inputs);
  }

  /// Products of the Hessian of `function`, a real scalar of n real inputs, with vectors: applied
  /// to the inputs and then to n tensors v of the same shapes, it gives the n parts of H v.
  ///
  /// It is the gradient of the product of the gradient with v (reverse mode over reverse mode),
  /// exact, at about twice the cost of a gradient. Every op's gradient must have one itself: those
  /// of max pooling, batch, layer and group norm and recurrent cells do not. For them there is
  /// [Objective#hessianVector].
  ///
  /// @throws UnsupportedOperationException when it is applied, if a gradient has none
  public static TensorsFunction hvp(TensorFunction function) {
    return inputs -> {
      int n = inputs.length / 2;
      if (inputs.length == 0 || inputs.length % 2 != 0) {
        throw new IllegalArgumentException(
            "[hvp] expected as many vectors as inputs, found %d tensors".formatted(inputs.length));
      }
      for (int i = 0; i < n; i++) {
        Tensor x = inputs[i];
        Tensor v = inputs[n + i];
        if (!x.dtype().isReal() || v.dtype() != x.dtype() || !v.shape().equals(x.shape())) {
          throw new ShapeException(
              "[hvp] expected a real input and a vector of its type, found %s and %s"
                  .formatted(TensorType.of(x), TensorType.of(v)));
        }
      }
      Tensor[] vectors = Arrays.copyOfRange(inputs, n, 2 * n);
      return grad(in -> product(grad(function).apply(in), vectors)).apply(Arrays.copyOf(inputs, n));
    };
  }

  /// Σ aᵢ · bᵢ.
  static Tensor product(List<? extends Tensor> a, Tensor... b) {
    Tensor sum = a.getFirst().times(b[0]).sum();
    for (int i = 1; i < b.length; i++) {
      sum = sum.plus(a.get(i).times(b[i]).sum());
    }
    return sum;
  }

  /// `function` recorded as one program for each set of input types it meets. Close it to give the
  /// memory back.
  public static CompiledFunction compile(TensorsFunction function) {
    return new CompiledFunction(function);
  }

  private static List<Tensor> valueAndGrad(TensorFunction function, Tensor... inputs) {
    if (inputs.length == 0) {
      throw new IllegalArgumentException("[grad] needs at least one input");
    }
    for (Tensor input : inputs) {
      if (input instanceof Value value) {
        return differentiate(function, value.graph(), variables(value.graph(), inputs));
      }
    }
    Device device = inputs[0].device();
    Graph graph = new Graph();
    Value[] leaves = leaves(graph, inputs);
    List<Tensor> results = differentiate(function, graph, leaves);
    Map<Value, Tensor> known = new HashMap<>(graph.constants());
    for (int i = 0; i < inputs.length; i++) {
      known.put(leaves[i], inputs[i]);
    }
    return interpret(device, graph, known, results);
  }

  private static List<Tensor> differentiate(
      TensorFunction function, Graph graph, Value... variables) {
    Tensor value = function.apply(variables);
    if (!(value instanceof Value scalar) || scalar.graph() != graph) {
      throw new IllegalArgumentException(
          "[grad] the function's result does not depend on its inputs: " + value);
    }
    List<Tensor> results = new ArrayList<>();
    results.add(scalar);
    List<Value> real =
        Arrays.stream(variables).filter(variable -> variable.dtype().isFloating()).toList();
    results.addAll(Gradients.of(scalar, real));
    return results;
  }

  /// Values that nothing else knows, equal to `inputs`: one input may be computed from another, or
  /// be used by the function without being handed to it, and neither counts for its gradient.
  private static Value[] variables(Graph graph, Tensor... inputs) {
    return Arrays.stream(inputs)
        .map(input -> graph.apply(new Reshape(input.shape()), List.of(input)).getFirst())
        .toArray(Value[]::new);
  }

  static Value[] leaves(Graph graph, Tensor... inputs) {
    Value[] leaves = new Value[inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      leaves[i] = graph.leaf("input" + i, TensorType.of(inputs[i]));
    }
    return leaves;
  }

  private static List<Tensor> withoutValue(List<Tensor> valueAndGradients) {
    valueAndGradients.getFirst().close();
    return valueAndGradients.subList(1, valueAndGradients.size());
  }

  /// Runs a graph node by node; what is not a result is closed.
  private static List<Tensor> interpret(
      Device device, Graph graph, Map<Value, Tensor> known, List<Tensor> results) {
    try (Scope scope = Scope.open()) {
      for (Node node : graph.nodes()) {
        List<Tensor> operands = node.inputs().stream().map(known::get).toList();
        List<Tensor> outputs = ConcreteTensor.run(device, node.op(), operands);
        for (int i = 0; i < outputs.size(); i++) {
          known.put(node.outputs().get(i), outputs.get(i));
        }
      }
      List<Tensor> kept = new ArrayList<>();
      for (Tensor result : results) {
        Tensor tensor = Objects.requireNonNull(known.get((Value) result));
        if (!scope.owns(tensor)) {
          tensor = ConcreteTensor.run(new Copy(), List.of(tensor)).getFirst();
        }
        kept.add(scope.keep(tensor));
      }
      return kept;
    }
  }
}
