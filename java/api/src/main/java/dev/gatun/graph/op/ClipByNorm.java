package dev.gatun.graph.op;

import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;

/// x · min(1, maxNorm / norm). Inputs x and norm (scalar).
///
/// @param maxNorm the greatest norm that passes unchanged
public record ClipByNorm(double maxNorm) implements Op {
  /// Checks the range.
  public ClipByNorm {
    Checks.attribute(maxNorm > 0, "clip_by_norm", "a greatest norm above 0", maxNorm);
  }

  @Override
  public String name() {
    return "clip_by_norm";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2);
    Checks.real(name(), inputs);
    Checks.shape(name(), "norm", inputs.get(1), Shape.scalar());
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.clipByNorm(outputs.getFirst(), inputs.get(0), inputs.get(1), maxNorm);
  }

  @Override
  public boolean inPlace(int output, int input) {
    return input == 0;
  }
}
