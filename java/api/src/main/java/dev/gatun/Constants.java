package dev.gatun;

import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.Value;
import java.util.ArrayList;
import java.util.List;

/// The concrete tensors that layers and losses use, such as class weights, as a program sees them:
/// copies made when the program is compiled.
final class Constants implements AutoCloseable {
  private final List<Memory> memories = new ArrayList<>();
  private final List<Placement> placements = new ArrayList<>();

  private Constants() {}

  /// Copies those of `graph`.
  ///
  /// @throws IllegalArgumentException if one lives on another device
  static Constants of(Graph graph, Device device) {
    Constants constants = new Constants();
    try {
      graph.constants().forEach((leaf, tensor) -> constants.add(leaf, tensor, device));
    } catch (RuntimeException | Error e) {
      constants.close();
      throw e;
    }
    return constants;
  }

  /// Where the copies are.
  List<Placement> placements() {
    return placements;
  }

  @Override
  public void close() {
    memories.forEach(Memory::close);
  }

  private void add(Value leaf, Tensor tensor, Device device) {
    if (tensor.device() != device) {
      throw new IllegalArgumentException(
          "a layer or loss uses %s, which lives on another device than the model (%s)"
              .formatted(tensor, device));
    }
    Memory memory = device.backend().allocate(leaf.type().bytes(), Memory.Kind.DEVICE);
    memories.add(memory);
    placements.add(new Placement(leaf, new Slot(memory, 0)));
    try (View view = memory.view(0, leaf.dtype(), leaf.shape())) {
      device.backend().copy(view, ((ConcreteTensor) tensor).view());
    }
  }
}
