package dev.gatun.graph;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.BinaryOp;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The gradient of ReLU on the way into that of a batch norm: batchNormBackward(gate(dy, y), …)
/// becomes one instruction, which also gives gate(dy, y) to whoever else reads it (the residual
/// path). It stands where the gate stood: everything else it reads comes from the forward pass.
final class FuseBatchNormGate implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node gate = graph.node(index);
    if (!gate.op().equals(new BinaryOp(Binary.GATE))
        || !gate.inputs().get(0).type().equals(gate.inputs().get(1).type())) {
      return false;
    }
    Value gated = gate.outputs().getFirst();
    for (Node norm : graph.nodes()) {
      boolean fits =
          norm.op().equals(new BatchNormTraining.Backward(false, Activation.NONE))
              && norm.inputs().getFirst() == gated
              && ready(graph, norm, index);
      if (fits) {
        boolean shared = graph.readers(gated) > 1;
        List<Value> inputs = new ArrayList<>(norm.inputs());
        inputs.set(0, gate.inputs().get(0));
        inputs.add(gate.inputs().get(1));
        List<@Nullable Value> outputs = new ArrayList<>(norm.outputs());
        if (shared) {
          outputs.add(gated);
        }
        graph.replace(
            gate,
            new BatchNormTraining.Backward(shared, Activation.RELU),
            inputs,
            outputs,
            List.of(norm));
        return true;
      }
    }
    return false;
  }

  /// Whether everything but the gated gradient is computed before node `index`.
  private static boolean ready(Rewriter graph, Node norm, int index) {
    return norm.inputs().stream()
        .skip(1)
        .allMatch(input -> graph.isComputedBefore(input, graph.node(index)));
  }
}
