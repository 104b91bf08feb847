package dev.gatun.graph;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.BinaryOp;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// batchNorm(x) + r becomes a batch norm that adds its residual.
final class FuseResidual implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node sum = graph.node(index);
    return sum.op().equals(new BinaryOp(Binary.ADD))
        && (fuse(graph, sum, 0) || fuse(graph, sum, 1));
  }

  private static boolean fuse(Rewriter graph, Node sum, int side) {
    Value normalised = sum.inputs().get(side);
    Value residual = sum.inputs().get(1 - side);
    Node norm = graph.soleProducer(normalised, Op.class);
    Op fused = norm == null ? null : withResidual(norm.op());
    if (norm == null
        || fused == null
        || !residual.type().equals(normalised.type())
        || graph.readBetween(norm, sum)) {
      return false;
    }
    List<Value> inputs = new ArrayList<>(norm.inputs());
    inputs.add(residual);
    List<@Nullable Value> outputs = new ArrayList<>(norm.outputs());
    outputs.set(0, sum.outputs().getFirst());
    graph.replace(sum, fused, inputs, outputs, List.of(norm));
    return true;
  }

  private static @Nullable Op withResidual(Op op) {
    return switch (op) {
      case BatchNormTraining(
              double momentum,
              double epsilon,
              boolean residual,
              Activation activation)
          when !residual && activation == Activation.NONE ->
          new BatchNormTraining(momentum, epsilon, true, activation);
      case BatchNormInference(double epsilon, boolean residual, Activation activation)
          when !residual && activation == Activation.NONE ->
          new BatchNormInference(epsilon, true, activation);
      default -> null;
    };
  }
}
