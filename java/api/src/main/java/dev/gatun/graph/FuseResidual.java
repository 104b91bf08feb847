package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Conv2d;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// f(x) + r becomes f with a residual, for batch norms and convolutions. Where a convolution is
/// followed by a batch norm, the sum is the batch norm's.
final class FuseResidual implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node sum = graph.node(index);
    return sum.op().equals(new BinaryOp(Binary.ADD))
        && (fuse(graph, sum, 0) || fuse(graph, sum, 1));
  }

  private static boolean fuse(Rewriter graph, Node sum, int side) {
    Value term = sum.inputs().get(side);
    Value residual = sum.inputs().get(1 - side);
    Node node = graph.soleProducer(term, Op.class);
    Op fused = node == null ? null : withResidual(node.op(), term.dtype());
    if (node == null
        || fused == null
        || !residual.type().equals(term.type())
        || graph.readBetween(node, sum)) {
      return false;
    }
    List<Value> inputs = new ArrayList<>(node.inputs());
    inputs.add(residual);
    List<@Nullable Value> outputs = new ArrayList<>(node.outputs());
    outputs.set(0, sum.outputs().getFirst());
    graph.replace(sum, fused, inputs, outputs, List.of(node));
    return true;
  }

  private static @Nullable Op withResidual(Op op, DType dtype) {
    return switch (op) {
      case Conv2d conv
          when !conv.residual() && conv.activation() == Activation.NONE && Conv2d.fuses(dtype) ->
          conv.withResidual();
      case BatchNormTraining norm when !norm.residual() && norm.activation() == Activation.NONE ->
          norm.withResidual();
      case BatchNormInference(double epsilon, boolean residual, Activation activation)
          when !residual && activation == Activation.NONE ->
          new BatchNormInference(epsilon, true, activation);
      default -> null;
    };
  }
}
