package dev.gatun.graph;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Batch norm by running estimates is a linear map, which the weights and the bias before it take
/// in: scale = gamma / sqrt(running variance + epsilon), w' = scale w, bias' = beta + scale (bias -
/// running mean). The residual and the activation go with it. Only where weights and estimates are
/// constants, so that the new ones are computed once.
final class FoldBatchNorm implements Rule {
  private final Set<Value> constants;

  FoldBatchNorm(Set<Value> constants) {
    this.constants = constants;
  }

  @Override
  public boolean apply(Rewriter graph, int index) {
    Node norm = graph.node(index);
    if (!(norm.op() instanceof BatchNormInference op)
        || !constants.containsAll(norm.inputs().subList(1, 5))) {
      return false;
    }
    Node linear = graph.soleProducer(norm.inputs().getFirst(), Op.class);
    boolean biased = linear != null && linear.inputs().size() == 3;
    Op folded = linear == null ? null : folded(linear.op(), op);
    if (linear == null
        || folded == null
        || !constants.containsAll(linear.inputs().subList(1, linear.inputs().size()))) {
      return false;
    }
    int added = graph.nodes().size();
    Value gamma = norm.inputs().get(1);
    Value beta = norm.inputs().get(2);
    Value mean = norm.inputs().get(3);
    Tensor scale = gamma.div(norm.inputs().get(4).plus(op.epsilon()).sqrt());
    Tensor bias =
        biased
            ? beta.plus(scale.times(linear.inputs().get(2).minus(mean)))
            : beta.minus(scale.times(mean));
    List<Value> inputs = new ArrayList<>();
    inputs.add(linear.inputs().getFirst());
    inputs.add((Value) scaled(linear.op(), linear.inputs().get(1), scale));
    inputs.add((Value) bias);
    if (op.residual()) {
      inputs.add(norm.inputs().get(5));
    }
    graph.moveBefore(norm, added);
    graph.replace(norm, folded, inputs, List.copyOf(norm.outputs()), List.of(linear));
    return true;
  }

  private static @Nullable Op folded(Op linear, BatchNormInference norm) {
    return switch (linear) {
      case Conv2d conv
          when !conv.residual() && !conv.moments() && conv.activation() == Activation.NONE -> {
        Conv2d biased = conv.withBias().with(norm.activation());
        yield norm.residual() ? biased.withResidual() : biased;
      }
      case MatMul(boolean a, boolean b, boolean _, Activation activation)
          when activation == Activation.NONE && !norm.residual() ->
          new MatMul(a, b, true, norm.activation());
      default -> null;
    };
  }

  /// The weights of each output times its scale.
  private static Tensor scaled(Op linear, Value weights, Tensor scale) {
    if (linear instanceof MatMul product && !product.transposeB()) {
      return weights.times(scale);
    }
    long[] column = new long[weights.shape().rank()];
    Arrays.fill(column, 1);
    column[0] = scale.shape().dim(0);
    return weights.times(scale.reshape(column));
  }
}
