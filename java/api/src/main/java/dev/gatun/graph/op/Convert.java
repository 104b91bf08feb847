package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The elements converted to another dtype.
///
/// @param dtype the new type
public record Convert(DType dtype) implements Op {
  @Override
  public String name() {
    return "copy";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    return List.of(new TensorType(dtype, inputs.getFirst().shape()));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.copy(outputs.getFirst(), inputs.getFirst());
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    boolean smooth = dtype.isFloating() && at.input(0).dtype().isFloating();
    return Collections.singletonList(smooth ? at.gradient().as(at.input(0).dtype()) : null);
  }
}
