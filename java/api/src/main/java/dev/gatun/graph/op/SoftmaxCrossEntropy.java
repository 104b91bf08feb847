package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Softmax and cross-entropy in one. Inputs logits [N,C], targets, which are labels [N] (I32,
/// negative: ignored) or distributions [N,C] (ignored if the first element of a row is negative),
/// and, if weighted, class weights [C]. Outputs the mean loss (scalar) and the number of right
/// answers (I32 scalar). The gradient is that by the logits.
///
/// @param labelSmoothing the share of the uniform distribution in what is wanted, in [0, 1)
/// @param weighted whether classes have weights
public record SoftmaxCrossEntropy(double labelSmoothing, boolean weighted) implements Op {
  /// Without smoothing and weights.
  public SoftmaxCrossEntropy() {
    this(0, false);
  }

  /// Checks the range.
  public SoftmaxCrossEntropy {
    checkSmoothing("softmax_cross_entropy", labelSmoothing);
  }

  /// `tensor [..., C]` or labels `[...]` as rows: [N,C] or [N].
  public static Tensor rows(Tensor tensor) {
    int rank = tensor.shape().rank();
    if (tensor.dtype() == DType.I32) {
      return rank == 1 ? tensor : tensor.reshape(tensor.shape().count());
    }
    if (rank < 2) {
      return tensor;
    }
    long[] dims = tensor.shape().toArray();
    long rows = Arrays.stream(dims, 0, rank - 1).reduce(1, (a, b) -> a * b);
    return rank == 2 ? tensor : tensor.reshape(rows, dims[rank - 1]);
  }

  @Override
  public String name() {
    return "softmax_cross_entropy";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, weighted ? 3 : 2);
    check(name(), inputs, weighted);
    return List.of(
        inputs.getFirst().with(Shape.scalar()), new TensorType(DType.I32, Shape.scalar()));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.softmaxCrossEntropy(
        outputs.get(0),
        outputs.get(1),
        inputs.get(0),
        inputs.get(1),
        weighted ? inputs.get(2) : null,
        labelSmoothing);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    List<Tensor> operands = new ArrayList<>(at.inputs());
    operands.add(at.gradient());
    Tensor dlogits = Tensor.applyAll(new Backward(labelSmoothing, weighted), operands).getFirst();
    return weighted ? Arrays.asList(dlogits, null, null) : Arrays.asList(dlogits, null);
  }

  private static void checkSmoothing(String op, double smoothing) {
    Checks.attribute(smoothing >= 0 && smoothing < 1, op, "a label smoothing in [0, 1)", smoothing);
  }

  private static void check(String op, List<TensorType> inputs, boolean weighted) {
    TensorType logits = inputs.get(0);
    TensorType targets = inputs.get(1);
    Checks.real(op, List.of(logits));
    Checks.rank(op, "logits", logits, 2, "[N,C]");
    if (targets.dtype().isReal()) {
      Checks.real(op, List.of(logits, targets));
      Checks.shape(op, "targets", targets, logits.shape());
    } else {
      Checks.dtype(op, "labels", targets, DType.I32);
      Checks.shape(op, "labels", targets, Shape.of(logits.shape().dim(0)));
    }
    if (weighted) {
      Checks.real(op, List.of(logits, inputs.get(2)));
      Checks.shape(op, "class weights", inputs.get(2), Shape.of(logits.shape().dim(1)));
    }
  }

  /// dlogits from logits, targets, class weights if weighted, and the gradient of the loss
  /// (scalar).
  ///
  /// @param labelSmoothing as in the forward op
  /// @param weighted as in the forward op
  public record Backward(double labelSmoothing, boolean weighted) implements Op {
    /// Without smoothing and weights.
    public Backward() {
      this(0, false);
    }

    /// Checks the range.
    public Backward {
      checkSmoothing("softmax_cross_entropy_backward", labelSmoothing);
    }

    @Override
    public String name() {
      return "softmax_cross_entropy_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, weighted ? 4 : 3);
      check(name(), inputs, weighted);
      Checks.real(name(), List.of(inputs.get(0), inputs.getLast()));
      Checks.shape(name(), "dloss", inputs.getLast(), Shape.scalar());
      return List.of(inputs.getFirst());
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.softmaxCrossEntropyBackward(
          outputs.getFirst(),
          inputs.get(0),
          inputs.get(1),
          weighted ? inputs.get(2) : null,
          inputs.getLast(),
          labelSmoothing);
    }

    /// Composed, for it is seldom wanted. dlogits is dloss (k p - w), with p the softmax of a row
    /// of logits z, and k and w free of z: by z its gradient for u is dloss k p (u - Σ p u). dloss
    /// k is how much dlogits falls at a row's first class when p moves from there to the second.
    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      Tensor u = at.gradient();
      Value logits = (Value) at.input(0);
      long[] column = {logits.shape().dim(0), 1};
      long classes = logits.shape().dim(1);
      Tensor p = logits.softmax();
      Tensor mean = p.times(u).sum(1).reshape(column);
      Tensor moved = certain(at, 0).minus(certain(at, Math.min(1, classes - 1)));
      Tensor k = moved.times(row(logits, 0, 1)).sum(1).reshape(column);
      List<@Nullable Tensor> gradients = new ArrayList<>();
      gradients.add(k.times(p).times(u.minus(mean)));
      gradients.add(null);
      if (weighted) {
        gradients.add(null);
      }
      Tensor dloss = at.inputs().getLast();
      gradients.add(with(at, logits, dloss.times(0).plus(1)).times(u).sum());
      return gradients;
    }

    /// What this op gives for logits that put all of p on `target`.
    private Tensor certain(Local at, long target) {
      Tensor logits = at.input(0);
      return with(
          at, row(logits, target, 1e4).expand(logits.shape().toArray()), at.inputs().getLast());
    }

    private Tensor with(Local at, Tensor logits, Tensor dloss) {
      List<Tensor> operands = new ArrayList<>(at.inputs());
      operands.set(0, logits);
      operands.set(operands.size() - 1, dloss);
      return Tensor.applyAll(this, operands).getFirst();
    }

    /// `[1,C]`: `value` at `target`, else 0.
    private static Tensor row(Tensor logits, long target, double value) {
      long classes = logits.shape().dim(1);
      List<Double> elements = new ArrayList<>(Collections.nCopies((int) classes, 0.0));
      if (classes > 0) {
        elements.set((int) target, value);
      }
      TensorType type = new TensorType(logits.dtype(), Shape.of(1, classes));
      return ((Value) logits).graph().apply(new Literal(type, elements), List.of()).getFirst();
    }
  }

  /// Loss, number of right answers and dlogits from logits, targets, class weights if weighted, and
  /// the gradient of the loss (scalar), in one pass.
  ///
  /// @param labelSmoothing as in the forward op
  /// @param weighted as in the forward op
  public record Training(double labelSmoothing, boolean weighted) implements Op {
    /// Without smoothing and weights.
    public Training() {
      this(0, false);
    }

    /// Checks the range.
    public Training {
      checkSmoothing("softmax_cross_entropy_training", labelSmoothing);
    }

    @Override
    public String name() {
      return "softmax_cross_entropy_training";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, weighted ? 4 : 3);
      check(name(), inputs, weighted);
      TensorType logits = inputs.getFirst();
      Checks.real(name(), List.of(logits, inputs.getLast()));
      Checks.shape(name(), "dloss", inputs.getLast(), Shape.scalar());
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
          weighted ? inputs.get(2) : null,
          inputs.getLast(),
          labelSmoothing);
    }
  }
}
