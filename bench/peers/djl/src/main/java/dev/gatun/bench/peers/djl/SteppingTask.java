package dev.gatun.bench.peers.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;

/// Steps of a recurrent layer for one sequence, from states to states.
final class SteppingTask implements Side.Task {
  private final NDManager manager;
  private final RecurrentLayer layer;
  private final NDArray inputs;
  private NDList states;
  private float[] outputs = {};

  SteppingTask(NDManager root, Work.RecurrentSteps work) {
    int units = Work.RecurrentSteps.UNITS;
    manager = root.newSubManager();
    layer = RecurrentLayer.of(manager, work.cell(), units, units);
    inputs = DjlSide.uniform(manager, 1, work.steps(), 1, units);
    states = layer.zeros(manager, 1, units);
  }

  @Override
  public void run() {
    try (NDManager scope = manager.newSubManager()) {
      inputs.tempAttach(scope);
      NDList results = layer.run(inputs, states, false);
      results.attach(scope);
      outputs = results.getFirst().toFloatArray();
      NDList next = new NDList(results.subList(1, results.size()));
      next.attach(manager);
      states.close();
      states = next;
    }
  }

  @Override
  public float[] results() {
    return Values.sample(outputs);
  }

  @Override
  public void close() {
    manager.close();
  }
}
