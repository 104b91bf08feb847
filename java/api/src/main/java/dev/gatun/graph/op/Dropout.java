package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Inverted dropout. Inputs x and step (I64 scalar): the mask is a function of seed, step and
/// layer, so the gradient is the same op on dy and no mask is stored.
///
/// @param dropProbability of an element, in [0, 1)
/// @param seed of the run
/// @param layer distinguishes the dropout layers of a net
public record Dropout(double dropProbability, long seed, int layer) implements Op {
  /// Checks the range.
  public Dropout {
    Checks.attribute(
        dropProbability >= 0 && dropProbability < 1,
        "dropout",
        "a drop probability in [0, 1)",
        dropProbability);
  }

  @Override
  public String name() {
    return "dropout";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2);
    Checks.floating(name(), inputs.subList(0, 1));
    Checks.shape(name(), "step", inputs.get(1), Shape.scalar());
    Checks.dtype(name(), "step", inputs.get(1), DType.I64);
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.dropout(outputs.getFirst(), inputs.get(0), inputs.get(1), dropProbability, seed, layer);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<Tensor> operands = List.of(at.gradient(), at.input(1));
    return Arrays.asList(Tensor.applyAll(this, operands).getFirst(), null);
  }

  @Override
  public boolean inPlace(int output, int input) {
    return input == 0;
  }
}
