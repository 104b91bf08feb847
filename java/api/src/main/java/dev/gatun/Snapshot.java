package dev.gatun;

import java.util.LinkedHashMap;
import java.util.Map;

/// The parameters and states of a model at a moment, on the host, to come back to.
public final class Snapshot {
  private final Map<String, float[]> tensors = new LinkedHashMap<>();

  private Snapshot() {}

  /// What `model` holds now.
  public static Snapshot of(Model model) {
    Snapshot snapshot = new Snapshot();
    model.parameterNames().forEach(name -> snapshot.tensors.put(name, model.read(name)));
    model.stateNames().forEach(name -> snapshot.tensors.put(name, model.read(name)));
    return snapshot;
  }

  /// Writes it to a model of the same network.
  ///
  /// @throws IllegalArgumentException if the model lacks one of the tensors
  /// @throws ShapeException if one has another size
  public void restore(Model model) {
    tensors.forEach(model::write);
  }
}
