package dev.gatun.graph;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import dev.gatun.graph.op.UnaryOp;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// relu(f(x)) becomes f with an activation, where f can apply one. It stands where the ReLU stood,
/// so no result may be stored in between: it could lie in the memory of x.
final class FuseRelu implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node relu = graph.node(index);
    if (!relu.op().equals(new UnaryOp(Unary.RELU))) {
      return false;
    }
    Node producer = graph.soleProducer(relu.inputs().getFirst(), Op.class);
    Op fused = producer == null ? null : withRelu(producer.op());
    if (producer == null
        || fused == null
        || graph.readBetween(producer, relu)
        || graph.resultBetween(producer, relu)) {
      return false;
    }
    List<@Nullable Value> outputs = new ArrayList<>(producer.outputs());
    outputs.set(0, relu.outputs().getFirst());
    graph.replace(relu, fused, producer.inputs(), outputs, List.of(producer));
    return true;
  }

  private static @Nullable Op withRelu(Op op) {
    return switch (op) {
      case MatMul(boolean a, boolean b, boolean bias, Activation activation)
          when activation == Activation.NONE ->
          new MatMul(a, b, bias, Activation.RELU);
      case Conv2d conv when conv.activation() == Activation.NONE -> conv.with(Activation.RELU);
      case BatchNormTraining norm when norm.activation() == Activation.NONE ->
          norm.with(Activation.RELU);
      case BatchNormInference(double epsilon, boolean residual, Activation activation)
          when activation == Activation.NONE ->
          new BatchNormInference(epsilon, residual, Activation.RELU);
      default -> null;
    };
  }
}
