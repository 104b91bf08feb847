package dev.gatun.graph;

import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Conv2d;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A convolution before a batch norm gives the mean and the variance of its result, which it has in
/// cache, and the batch norm does not read its input twice.
final class FuseMoments implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node norm = graph.node(index);
    if (!(norm.op() instanceof BatchNormTraining unaware) || unaware.moments()) {
      return false;
    }
    Node producer = norm.inputs().getFirst().producer();
    if (producer == null
        || !(producer.op() instanceof Conv2d conv)
        || conv.moments()
        || !Conv2d.fuses(norm.inputs().getFirst().dtype())
        || producer.outputs().getFirst() != norm.inputs().getFirst()) {
      return false;
    }
    List<@Nullable Value> outputs = new ArrayList<>(producer.outputs());
    outputs.add(null);
    Node telling =
        graph.replace(producer, conv.withMoments(), producer.inputs(), outputs, List.of());
    List<Value> inputs = new ArrayList<>(norm.inputs());
    inputs.add(telling.outputs().getLast());
    graph.replace(norm, unaware.withMoments(), inputs, List.copyOf(norm.outputs()), List.of());
    return true;
  }
}
