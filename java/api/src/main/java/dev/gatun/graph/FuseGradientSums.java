package dev.gatun.graph;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Conv2d;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A convolution's data gradient that flows into a batch norm gives the sums which the gradient of
/// the batch norm starts with, while it has its result in cache.
final class FuseGradientSums implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node norm = graph.node(index);
    if (!(norm.op() instanceof BatchNormTraining.Backward unaware)
        || unaware.sums()
        || unaware.activation() != Activation.NONE) {
      return false;
    }
    Node producer = norm.inputs().getFirst().producer();
    if (producer == null
        || !(producer.op() instanceof Conv2d.BackwardData data)
        || data.sums()
        || !Conv2d.fuses(norm.inputs().getFirst().dtype())
        || producer.outputs().getFirst() != norm.inputs().getFirst()) {
      return false;
    }
    Value x = norm.inputs().get(1);
    Value mean = norm.inputs().get(2);
    if (!graph.isComputedBefore(x, producer) || !graph.isComputedBefore(mean, producer)) {
      return false;
    }
    List<Value> summed = new ArrayList<>(producer.inputs());
    summed.add(x);
    summed.add(mean);
    List<@Nullable Value> outputs = new ArrayList<>(producer.outputs());
    outputs.add(null);
    Node telling = graph.replace(producer, data.withSums(), summed, outputs, List.of());
    List<Value> inputs = new ArrayList<>(norm.inputs());
    inputs.add(telling.outputs().getLast());
    graph.replace(norm, unaware.withSums(), inputs, List.copyOf(norm.outputs()), List.of());
    return true;
  }
}
