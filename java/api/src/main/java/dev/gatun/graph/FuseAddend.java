package dev.gatun.graph;

import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Conv2d;
import java.util.ArrayList;
import java.util.List;

/// The sum of a convolution's data gradient and another gradient of the same value becomes one
/// instruction: where a value has two readers, as at the start of a residual block.
final class FuseAddend implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node sum = graph.node(index);
    return sum.op().equals(new BinaryOp(Binary.ADD))
        && (fuse(graph, sum, 1) || fuse(graph, sum, 0));
  }

  private static boolean fuse(Rewriter graph, Node sum, int side) {
    Value term = sum.inputs().get(side);
    Value addend = sum.inputs().get(1 - side);
    Node producer = graph.soleProducer(term, Conv2d.BackwardData.class);
    if (producer == null
        || !(producer.op() instanceof Conv2d.BackwardData plain)
        || plain.addend()
        || plain.gate()
        || plain.sums()
        || !Conv2d.fuses(term.dtype())
        || !addend.type().equals(term.type())) {
      return false;
    }
    List<Value> inputs = new ArrayList<>(producer.inputs());
    inputs.add(addend);
    graph.replace(sum, plain.withAddend(), inputs, List.copyOf(sum.outputs()), List.of(producer));
    return true;
  }
}
