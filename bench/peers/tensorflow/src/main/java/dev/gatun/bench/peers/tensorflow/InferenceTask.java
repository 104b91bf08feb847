package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Work;
import org.tensorflow.Operand;
import org.tensorflow.types.TFloat32;

/// The logits of a batch, norms folded.
final class InferenceTask implements Side.Task {
  private final GraphTask task;
  private final Operand<TFloat32> logits;
  private float[] values = {};

  InferenceTask(int threads, Work.Inference work) {
    task = new GraphTask(threads);
    logits =
        work.network()
            .build(
                GraphNet.folded(task), TrainingTask.pictures(task, work.network(), work.batch()));
  }

  @Override
  public void run() {
    values = task.fetch(logits);
  }

  @Override
  public float[] results() {
    return new float[] {values.length};
  }

  @Override
  public void close() {
    task.close();
  }
}
