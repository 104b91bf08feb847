package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A tensor of given numbers, such as indices. They are written to the device when the instruction
/// is issued, once for a recorded program, which keeps them.
///
/// @param type what to make
/// @param elements in row-major order
public record Literal(TensorType type, List<Double> elements) implements Op {
  /// Copies the list and checks its length.
  public Literal {
    elements = List.copyOf(elements);
    Checks.attribute(
        elements.size() == type.shape().count(),
        "literal",
        type.shape().count() + " elements for " + type,
        elements.size());
  }

  @Override
  public String name() {
    return "literal";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 0);
    return List.of(type);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    ByteBuffer bytes =
        ByteBuffer.allocate(elements.size() * DType.F64.bytes()).order(ByteOrder.nativeOrder());
    elements.forEach(bytes::putDouble);
    try (Memory memory = backend.allocate(bytes.capacity(), Memory.Kind.DEVICE)) {
      memory.write(0, bytes.flip());
      try (View source = memory.view(0, DType.F64, type.shape())) {
        backend.copy(outputs.getFirst(), source);
      }
    }
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return List.of();
  }
}
