package dev.gatun.graph;

import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Softmax cross-entropy and its gradient become one instruction, which reads the logits once. It
/// stands where the gradient stood, so nothing before that may read the loss: a gradient that
/// depends on the loss itself stays as it is.
final class FuseCrossEntropy implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node backward = graph.node(index);
    if (!(backward.op()
        instanceof SoftmaxCrossEntropy.Backward(double smoothing, boolean weighted))) {
      return false;
    }
    SoftmaxCrossEntropy sameLoss = new SoftmaxCrossEntropy(smoothing, weighted);
    for (Node forward : graph.nodes().subList(0, index)) {
      boolean fits =
          forward.op().equals(sameLoss)
              && forward.inputs().equals(backward.inputs().subList(0, weighted ? 3 : 2))
              && !backward.inputs().contains(forward.outputs().getFirst())
              && !graph.readBetween(forward, backward);
      if (fits) {
        List<@Nullable Value> outputs = new ArrayList<>(forward.outputs());
        outputs.addAll(backward.outputs());
        graph.replace(
            backward,
            new SoftmaxCrossEntropy.Training(smoothing, weighted),
            backward.inputs(),
            outputs,
            List.of(forward));
        return true;
      }
    }
    return false;
  }
}
