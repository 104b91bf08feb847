package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Step;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;

/// Elementwise functions one after the other in one pass over memory. What the graph's rules make
/// of [UnaryOp], [BinaryOp] and [Affine], with the very same bits for a result.
///
/// @param inputs how many there are, broadcast as in NumPy
/// @param steps the functions; the last one's value is the result
public record Elementwise(int inputs, List<Step> steps) implements Op {
  /// Checks the counts and the operands' numbers.
  public Elementwise {
    steps = List.copyOf(steps);
    Checks.attribute(
        inputs >= 1 && inputs <= Backend.MAX_STEP_INPUTS,
        "elementwise",
        "1 to %d inputs".formatted(Backend.MAX_STEP_INPUTS),
        inputs);
    Checks.attribute(
        !steps.isEmpty() && steps.size() <= Backend.MAX_STEPS,
        "elementwise",
        "1 to %d steps".formatted(Backend.MAX_STEPS),
        steps.size());
    for (int k = 0; k < steps.size(); k++) {
      for (int operand : steps.get(k).operands()) {
        Checks.attribute(
            operand >= 0 && operand < inputs + k,
            "elementwise",
            "operands of step %d from 0 to %d".formatted(k, inputs + k - 1),
            operand);
      }
    }
  }

  @Override
  public String name() {
    return "elementwise";
  }

  @Override
  public List<TensorType> infer(List<TensorType> types) {
    Checks.arity(name(), types, inputs);
    Checks.floating(name(), types);
    TensorType result = types.getFirst();
    for (TensorType type : types) {
      Shape shape = Checks.broadcast(name(), result, type);
      result = result.with(shape);
    }
    return List.of(result);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> views) {
    backend.elementwise(outputs.getFirst(), views, steps);
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }
}
