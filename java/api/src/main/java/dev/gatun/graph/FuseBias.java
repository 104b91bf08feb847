package dev.gatun.graph;

import dev.gatun.Shape;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// conv(x, w) + b and a·b + c become one instruction with a bias. It stands where the sum stood, so
/// no result may be stored in between: it could lie in the memory of what is multiplied.
final class FuseBias implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node sum = graph.node(index);
    return sum.op().equals(new BinaryOp(Binary.ADD))
        && (fuse(graph, sum, 0) || fuse(graph, sum, 1));
  }

  private static boolean fuse(Rewriter graph, Node sum, int side) {
    Value product = sum.inputs().get(side);
    Value bias = sum.inputs().get(1 - side);
    Node producer = graph.soleProducer(product, Op.class);
    Op fused = producer == null ? null : withBias(producer.op());
    if (producer == null
        || fused == null
        || graph.resultBetween(producer, sum)
        || !bias.shape().equals(Shape.of(product.shape().dim(-1)))) {
      return false;
    }
    graph.replace(
        sum,
        fused,
        List.of(producer.inputs().get(0), producer.inputs().get(1), bias),
        List.copyOf(sum.outputs()),
        List.of(producer));
    return true;
  }

  private static @Nullable Op withBias(Op op) {
    return switch (op) {
      case MatMul(boolean a, boolean b, boolean bias, Activation activation)
          when !bias && activation == Activation.NONE ->
          new MatMul(a, b, true, activation);
      case Conv2d conv
          when !conv.bias() && !conv.residual() && conv.activation() == Activation.NONE ->
          conv.withBias();
      default -> null;
    };
  }
}
