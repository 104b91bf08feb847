package dev.gatun.graph;

import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One operation: a value (a record) that knows its shapes, its gradient and the instruction it
/// becomes.
public interface Op {
  /// The name in messages, that of the instruction: `conv2d`.
  String name();

  /// The types of the outputs for these types of inputs.
  ///
  /// @throws ShapeException if the inputs do not fit; the message starts with `[name]` and tells
  ///   expected and found
  List<TensorType> infer(List<TensorType> inputs);

  /// Issues the instruction. Outputs have the inferred types.
  void lower(Backend backend, List<View> outputs, List<View> inputs);

  /// The gradients of a scalar with respect to the inputs, in terms of ops; null for an input that
  /// has none.
  ///
  /// @throws UnsupportedOperationException if the op has no gradient
  default List<@Nullable Tensor> gradient(Local at) {
    throw new UnsupportedOperationException("[" + name() + "] has no gradient");
  }

  /// Whether output `output` may be stored over input `input` when that is not needed afterwards.
  default boolean inPlace(int output, int input) {
    return false;
  }

  /// Whether the only output has the same bytes as the first input, so that a plan needs no
  /// instruction for it.
  default boolean isAlias() {
    return false;
  }

  /// What a gradient rule sees of the place where its op stands.
  ///
  /// @param inputs the op's inputs
  /// @param outputs the op's outputs
  /// @param gradients the gradients with respect to the outputs; null where the scalar does not
  ///   depend on one
  record Local(List<Tensor> inputs, List<Tensor> outputs, List<@Nullable Tensor> gradients) {
    /// Input `index`.
    public Tensor input(int index) {
      return inputs.get(index);
    }

    /// Output `index`.
    public Tensor output(int index) {
      return outputs.get(index);
    }

    /// The gradient with respect to the first output, for ops whose other outputs have none.
    public Tensor gradient() {
      Tensor first = gradients.getFirst();
      if (first == null) {
        throw new IllegalStateException("a gradient flows only into a side output");
      }
      return first;
    }
  }
}
