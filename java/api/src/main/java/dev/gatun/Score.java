package dev.gatun;

import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.List;

/// The loss of a batch and how many answers are right, as values of a graph.
///
/// @param loss a real scalar
/// @param correct an I32 scalar
record Score(Value loss, Value correct) {
  static Score of(Graph graph, Loss loss, Value outputs, Value labels) {
    if (outputs.shape().rank() != 2) {
      throw new ShapeException(
          "[loss] expected outputs [N, classes], found "
              + outputs.type()
              + "; end the network with dense(classes)");
    }
    Value value = graph.value(loss.apply(outputs, labels));
    if (!value.shape().equals(Shape.scalar())) {
      throw new ShapeException(
          "[loss] expected a scalar, found " + value.type() + "; reduce it by mean()");
    }
    Node producer = value.producer();
    List<Value> judged =
        producer != null
                && producer.op() instanceof SoftmaxCrossEntropy
                && producer.inputs().equals(List.of(outputs, labels))
            ? producer.outputs()
            : graph.apply(new SoftmaxCrossEntropy(), List.of(outputs, labels));
    return new Score(value, judged.get(1));
  }
}
