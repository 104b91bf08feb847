package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/// Steps of a recurrent layer for one sequence, from states to states.
final class SteppingTask implements Side.Task {
  private final RecurrentLayer layer;
  private final Tensor inputs;
  private List<Tensor> states;
  private float[] outputs = {};

  SteppingTask(Work.RecurrentSteps work) {
    int units = Work.RecurrentSteps.UNITS;
    layer = RecurrentLayer.of(work.cell(), units, units);
    inputs = keep(uniform(1, work.steps(), 1, units));
    states = layer.zeros(1, units);
  }

  @Override
  public void run() {
    try (PointerScope _ = new PointerScope();
        NoGradGuard _ = new NoGradGuard()) {
      List<Tensor> results = layer.run(inputs, states, false);
      outputs = Tensors.toArray(results.getFirst());
      states.forEach(Tensor::close);
      // Not the results themselves, which lie inside the tuple that this scope closes.
      states = results.stream().skip(1).map(state -> keep(state.detach())).toList();
    }
  }

  @Override
  public float[] results() {
    return Values.sample(outputs);
  }

  @Override
  public void close() {
    layer.weights().forEach(Tensor::close);
    states.forEach(Tensor::close);
    inputs.close();
  }
}
