package dev.gatun;

import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Softmax cross-entropy, loss and gradient in one pass over the logits:
///
/// ```java
/// trainer.loss(Loss.softmaxCrossEntropy().labelSmoothing(0.1))
/// ```
///
/// Logits are `[..., C]`; targets labels `[...]`, of which negative ones are ignored, or
/// distributions t `[..., C]`. With what is wanted, `q = w · ((1 - s) · t + s / C)`, s the
/// smoothing and w the classes' weights, it is the sum of `-Σ q log softmax(logits)` over the rows,
/// divided by the sum of their labels' weights, or by their number if the targets are
/// distributions. This is PyTorch's definition.
///
/// @param labelSmoothing s, the share of the uniform distribution in what is wanted (Szegedy et al.
///   2016), in [0, 1)
/// @param classWeights w `[C]`, on the device of the model; null for 1
public record CrossEntropy(double labelSmoothing, @Nullable Tensor classWeights) implements Loss {
  /// Checks the range.
  public CrossEntropy {
    if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
      throw new IllegalArgumentException(
          "[softmaxCrossEntropy] expected a label smoothing in [0, 1), found " + labelSmoothing);
    }
  }

  /// The same with this share of the uniform distribution in what is wanted.
  public CrossEntropy labelSmoothing(double newSmoothing) {
    return new CrossEntropy(newSmoothing, classWeights);
  }

  /// The same with these weights of the classes, which must stay open while the loss is in use.
  public CrossEntropy classWeights(Tensor newWeights) {
    return new CrossEntropy(labelSmoothing, newWeights);
  }

  @Override
  public Tensor apply(Tensor outputs, Tensor targets) {
    Tensor weights = classWeights;
    List<Tensor> operands = new ArrayList<>();
    operands.add(SoftmaxCrossEntropy.rows(outputs));
    operands.add(SoftmaxCrossEntropy.rows(targets));
    if (weights != null) {
      operands.add(weights);
    }
    return Tensor.applyAll(new SoftmaxCrossEntropy(labelSmoothing, weights != null), operands)
        .getFirst();
  }
}
