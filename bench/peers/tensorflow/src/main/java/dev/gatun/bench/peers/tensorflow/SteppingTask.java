package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.Operand;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Placeholder;
import org.tensorflow.types.TFloat32;

/// Steps of a recurrent layer for one sequence, from states to states, which are fed back.
final class SteppingTask implements Side.Task {
  private final GraphTask task;
  private final Operand<TFloat32> y;
  private float[] outputs = {};

  SteppingTask(int threads, Work.RecurrentSteps work) {
    int units = Work.RecurrentSteps.UNITS;
    task = new GraphTask(threads);
    Ops tf = task.tf();
    RecurrentLayer layer =
        RecurrentLayer.of(
            tf,
            work.cell(),
            units,
            units,
            work.steps(),
            (values, dims) ->
                tf.constant(TFloat32.tensorOf(Shape.of(dims), DataBuffers.of(values))));
    List<Placeholder<TFloat32>> first = new ArrayList<>();
    for (int i = 0; i < layer.states(); i++) {
      first.add(task.feed(new float[units], 1, units));
    }
    Operand<TFloat32> x = task.uniform(1, work.steps(), 1, units);
    RecurrentLayer.Outputs all = layer.run(x, work.steps(), 1, first);
    y = all.y();
    for (int i = 0; i < first.size(); i++) {
      task.carry(first.get(i), all.states().get(i));
    }
  }

  @Override
  public void run() {
    outputs = task.fetch(y);
  }

  @Override
  public float[] results() {
    return Values.sample(outputs);
  }

  @Override
  public void close() {
    task.close();
  }
}
