package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.ArrayList;
import java.util.List;
import org.tensorflow.Operand;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.op.Op;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Variable;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.family.TNumber;

/// A training step: forward, cross-entropy, backward, SGD with momentum and without decay.
final class TrainingTask implements Side.Task {
  private final GraphTask task;
  private final Operand<TFloat32> loss;
  private final long parameters;
  private float value;

  TrainingTask(int threads, Work.Training work) {
    Network network = work.network();
    task = new GraphTask(threads);
    Ops tf = task.tf();
    if (work.precision().equals("bf16")) {
      GraphNet<?> net = GraphNet.trainingBf16(task);
      loss = loss(network, net, work.batch());
      parameters = train(tf, network, net);
    } else {
      GraphNet<?> net = GraphNet.training(task);
      loss = loss(network, net, work.batch());
      parameters = train(tf, network, net);
    }
  }

  static Operand<TFloat32> pictures(GraphTask task, Network network, int batch) {
    return network == Network.MLP
        ? task.uniform(1, batch, network.channels())
        : task.uniform(1, batch, network.side(), network.side(), network.channels());
  }

  private <T extends TNumber> Operand<TFloat32> loss(Network network, GraphNet<T> net, int batch) {
    Ops tf = task.tf();
    Operand<T> logits = network.build(net, net.cast(pictures(task, network, batch)));
    int[] labels = Values.labels(batch, network.classes());
    float[] wanted = new float[batch * network.classes()];
    for (int i = 0; i < batch; i++) {
      wanted[i * network.classes() + labels[i]] = 1;
    }
    Operand<TFloat32> targets = task.feed(wanted, batch, network.classes());
    return tf.math.mean(
        tf.nn.softmaxCrossEntropyWithLogits(tf.dtypes.cast(logits, TFloat32.class), targets).loss(),
        tf.constant(new int[] {0}));
  }

  /// Adds the optimizer, and returns the number of trained numbers.
  private long train(Ops tf, Network network, GraphNet<?> net) {
    List<Op> updates = new ArrayList<>();
    int index = 0;
    for (Operand<?> one : tf.gradients(loss, net.parameters())) {
      @SuppressWarnings("unchecked")
      Operand<TFloat32> gradient = (Operand<TFloat32>) one;
      Variable<TFloat32> parameter = (Variable<TFloat32>) net.parameters().get(index);
      Shape shape = net.shapes().get(index);
      if (network == Network.MLP) {
        updates.add(tf.train.applyGradientDescent(parameter, tf.constant(1e-3f), gradient));
      } else {
        Variable<TFloat32> velocity =
            task.variable(new float[Math.toIntExact(shape.size())], shape.asArray());
        updates.add(
            tf.train.applyMomentum(
                parameter, velocity, tf.constant(1e-3f), gradient, tf.constant(0.9f)));
      }
      index++;
    }
    task.target(tf.withControlDependencies(updates).noOp());
    return net.shapes().stream().mapToLong(Shape::size).sum();
  }

  @Override
  public void run() {
    value = task.fetch(loss)[0];
  }

  @Override
  public float[] results() {
    return Values.training(parameters, value);
  }

  @Override
  public void close() {
    task.close();
  }
}
