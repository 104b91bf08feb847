package dev.gatun.graph;

import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Conv2d;
import java.util.ArrayList;
import java.util.List;

/// The gradient of ReLU behind a convolution's data gradient becomes one instruction. What comes
/// before the gate is never stored, and all that read the gated gradient, a batch norm and the
/// residual path, read the same memory.
final class FuseGate implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node gate = graph.node(index);
    if (!gate.op().equals(new BinaryOp(Binary.GATE))
        || !gate.inputs().get(0).type().equals(gate.inputs().get(1).type())) {
      return false;
    }
    Node producer = graph.soleProducer(gate.inputs().getFirst(), Conv2d.BackwardData.class);
    if (producer == null
        || !(producer.op() instanceof Conv2d.BackwardData open)
        || open.gate()
        || open.sums()
        || !Conv2d.fuses(gate.inputs().getFirst().dtype())) {
      return false;
    }
    List<Value> inputs = new ArrayList<>(producer.inputs());
    inputs.add(gate.inputs().get(1));
    graph.replace(gate, open.withGate(), inputs, List.copyOf(gate.outputs()), List.of(producer));
    return true;
  }
}
