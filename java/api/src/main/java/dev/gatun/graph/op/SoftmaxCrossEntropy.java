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

/// Softmax and cross-entropy in one. Inputs logits [N,C] and labels [N] (I32, negative: ignored).
/// Outputs the mean loss (scalar) and the number of right answers (I32 scalar).
public record SoftmaxCrossEntropy() implements Op {
  @Override
  public String name() {
    return "softmax_cross_entropy";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2);
    check(name(), inputs);
    return List.of(
        inputs.getFirst().with(Shape.scalar()), new TensorType(DType.I32, Shape.scalar()));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.softmaxCrossEntropy(outputs.get(0), outputs.get(1), inputs.get(0), inputs.get(1));
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<Tensor> operands = List.of(at.input(0), at.input(1), at.gradient());
    return Arrays.asList(Tensor.applyAll(new Backward(), operands).getFirst(), null);
  }

  private static void check(String op, List<TensorType> inputs) {
    TensorType logits = inputs.get(0);
    TensorType labels = inputs.get(1);
    Checks.real(op, List.of(logits));
    Checks.rank(op, "logits", logits, 2, "[N,C]");
    Checks.dtype(op, "labels", labels, DType.I32);
    Checks.shape(op, "labels", labels, Shape.of(logits.shape().dim(0)));
  }

  /// dlogits from logits, labels and the gradient of the loss (scalar).
  public record Backward() implements Op {
    @Override
    public String name() {
      return "softmax_cross_entropy_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 3);
      check(name(), inputs);
      Checks.real(name(), List.of(inputs.get(0), inputs.get(2)));
      Checks.shape(name(), "dloss", inputs.get(2), Shape.scalar());
      return List.of(inputs.getFirst());
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.softmaxCrossEntropyBackward(
          outputs.getFirst(), inputs.get(0), inputs.get(1), inputs.get(2));
    }
  }

  /// Loss, number of right answers and dlogits from logits, labels and the gradient of the loss
  /// (scalar), in one pass.
  public record Training() implements Op {
    @Override
    public String name() {
      return "softmax_cross_entropy_training";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 3);
      check(name(), inputs);
      TensorType logits = inputs.getFirst();
      Checks.real(name(), List.of(logits, inputs.get(2)));
      Checks.shape(name(), "dloss", inputs.get(2), Shape.scalar());
      return List.of(
          logits.with(Shape.scalar()), new TensorType(DType.I32, Shape.scalar()), logits);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.softmaxCrossEntropyTraining(
          outputs.get(0),
          outputs.get(1),
          outputs.get(2),
          inputs.get(0),
          inputs.get(1),
          inputs.get(2));
    }
  }
}
