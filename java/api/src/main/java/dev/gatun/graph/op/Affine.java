package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// scale · x + shift.
///
/// @param scale the factor
/// @param shift the summand
public record Affine(double scale, double shift) implements Op {
  @Override
  public String name() {
    return "affine";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    return inputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.affine(outputs.getFirst(), inputs.getFirst(), scale, shift);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of(scale == 1 ? at.gradient() : at.gradient().times(scale));
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }
}
