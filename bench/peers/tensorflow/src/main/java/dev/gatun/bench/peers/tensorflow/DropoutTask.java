package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import org.tensorflow.Operand;
import org.tensorflow.op.Ops;
import org.tensorflow.types.TFloat32;

/// Dropout as Keras composes it: uniform numbers, a comparison, a selection.
final class DropoutTask implements Side.Task {
  private final GraphTask task;
  private final int elements;

  DropoutTask(int threads, int elements) {
    this.elements = elements;
    task = new GraphTask(threads);
    Ops tf = task.tf();
    Operand<TFloat32> x = task.uniform(1, elements);
    Operand<TFloat32> numbers = tf.random.randomUniform(tf.shape(x), TFloat32.class);
    task.result(
        tf.select(
            tf.math.greaterEqual(numbers, tf.constant(0.5f)),
            tf.math.mul(x, tf.constant(2f)),
            tf.constant(0f)));
  }

  @Override
  public void run() {
    task.run();
  }

  @Override
  public float[] results() {
    return Values.dropout(task.read()[0], Values.uniform(elements, 1));
  }

  @Override
  public void close() {
    task.close();
  }
}
