package dev.gatun.graph.op;

import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;

/// Rows that are too long, scaled down: row · min(1, limit / ‖row‖). Inputs x `[R,C]` and, if
/// limits are relative, a reference `[R,C]`: the limit of a row is ratio · max(‖reference row‖,
/// floor), or `ratio` itself without a reference.
///
/// @param ratio the limit, or its factor
/// @param floor the least norm that a reference row counts as
public record ClipRows(double ratio, double floor) implements Op {
  /// Checks the ranges.
  public ClipRows {
    Checks.attribute(
        ratio > 0 && Double.isFinite(ratio), "clip_rows", "a ratio greater than 0", ratio);
    Checks.attribute(
        floor >= 0 && Double.isFinite(floor), "clip_rows", "a floor of at least 0", floor);
  }

  @Override
  public String name() {
    return "clip_rows";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    if (inputs.size() != 1) {
      Checks.arity(name(), inputs, 2);
      Checks.shape(name(), "reference", inputs.get(1), inputs.getFirst().shape());
    }
    Checks.real(name(), inputs);
    Checks.rank(name(), "x", inputs.getFirst(), 2, "[R,C]");
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    View reference = inputs.size() > 1 ? inputs.get(1) : null;
    backend.clipRows(outputs.getFirst(), inputs.get(0), reference, ratio, floor);
  }

  @Override
  public boolean inPlace(int output, int input) {
    return input == 0;
  }
}
