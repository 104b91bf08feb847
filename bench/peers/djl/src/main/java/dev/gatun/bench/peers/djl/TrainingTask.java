package dev.gatun.bench.peers.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import ai.djl.training.loss.Loss;
import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.List;

/// A training step: forward, cross-entropy, backward, SGD for each parameter.
final class TrainingTask implements Side.Task {
  private final Network network;
  private final NDManager manager;
  private final EagerNet net;
  private final NDArray pictures;
  private final NDArray labels;
  private final Loss criterion = Loss.softmaxCrossEntropyLoss();
  private List<NDArray> velocities = List.of();
  private float loss;

  TrainingTask(NDManager root, Work.Training work) {
    network = work.network();
    manager = root.newSubManager();
    net = EagerNet.training(manager);
    pictures = pictures(manager, network, work.batch());
    labels = manager.create(Values.labels(work.batch(), network.classes()));
  }

  static NDArray pictures(NDManager manager, Network network, int batch) {
    return network == Network.MLP
        ? DjlSide.uniform(manager, 1, batch, network.channels())
        : DjlSide.channelsSecond(
            DjlSide.uniform(manager, 1, batch, network.side(), network.side(), network.channels()));
  }

  @Override
  public void run() {
    try (NDManager scope = manager.newSubManager()) {
      pictures.tempAttach(scope);
      net.restart();
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.zeroGradients();
        NDArray logits = network.build(net, pictures);
        NDArray value = criterion.evaluate(new NDList(labels), new NDList(logits));
        value.attach(scope);
        collector.backward(value);
        loss = value.getFloat();
      }
      update(scope);
    }
  }

  private void update(NDManager scope) {
    boolean momentum = network != Network.MLP;
    if (velocities.isEmpty() && momentum) {
      velocities = net.parameters().stream().map(each -> manager.zeros(each.getShape())).toList();
    }
    for (int i = 0; i < net.parameters().size(); i++) {
      NDArray parameter = net.parameters().get(i);
      NDArray gradient = parameter.getGradient();
      gradient.attach(scope);
      NDList inputs = new NDList(parameter, gradient);
      if (momentum) {
        inputs.add(velocities.get(i));
      }
      parameter
          .getNDArrayInternal()
          .sgdUpdate(
              inputs,
              new NDList(parameter),
              1e-3f,
              momentum ? 1e-4f : 0,
              1,
              -1,
              momentum ? 0.9f : 0,
              true);
    }
  }

  @Override
  public float[] results() {
    return Values.training(net.parameterCount(), loss);
  }

  @Override
  public void close() {
    manager.close();
  }
}
