package dev.gatun.bench.peers.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.loss.Loss;
import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.List;

/// A training step of a recurrent layer and a dense head, time first, with Adam for each parameter.
final class RecurrentTask implements Side.Task {
  private final NDManager manager;
  private final RecurrentLayer layer;
  private final NDList parameters;
  private final List<NDArray> first;
  private final List<NDArray> second;
  private final NDList zeros;
  private final NDArray inputs;
  private final NDArray labels;
  private final Loss criterion = Loss.softmaxCrossEntropyLoss();
  private float loss;

  RecurrentTask(NDManager root, Work.RecurrentTraining work) {
    int units = Work.RecurrentTraining.UNITS;
    int classes = Work.RecurrentTraining.CLASSES;
    int batch = Work.RecurrentTraining.BATCH;
    manager = root.newSubManager();
    layer = RecurrentLayer.of(manager, work.cell(), Work.RecurrentTraining.FEATURES, units);
    parameters = new NDList(layer.weights());
    parameters.add(
        manager.create(RecurrentWeights.head(classes, units), new Shape(classes, units)));
    parameters.add(manager.zeros(new Shape(classes)));
    parameters.forEach(parameter -> parameter.setRequiresGradient(true));
    first = zerosLike();
    second = zerosLike();
    zeros = layer.zeros(manager, batch, units);
    inputs =
        DjlSide.uniform(
            manager, 1, Work.RecurrentTraining.STEPS, batch, Work.RecurrentTraining.FEATURES);
    labels = manager.create(Values.labels(Work.RecurrentTraining.STEPS * batch, classes));
  }

  private List<NDArray> zerosLike() {
    return parameters.stream().map(each -> manager.zeros(each.getShape())).toList();
  }

  @Override
  public void run() {
    try (NDManager scope = manager.newSubManager()) {
      inputs.tempAttach(scope);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.zeroGradients();
        NDArray y = layer.run(inputs, zeros, true).getFirst();
        NDArray rows = y.reshape(-1, Work.RecurrentTraining.UNITS);
        NDArray logits = rows.matMul(parameters.get(4).transpose()).add(parameters.get(5));
        NDArray value = criterion.evaluate(new NDList(labels), new NDList(logits));
        value.attach(scope);
        collector.backward(value);
        loss = value.getFloat();
      }
      update(scope);
    }
  }

  private void update(NDManager scope) {
    float correction = (float) (1e-3 * Math.sqrt(1 - 0.999) / (1 - 0.9));
    for (int i = 0; i < parameters.size(); i++) {
      NDArray parameter = parameters.get(i);
      NDArray gradient = parameter.getGradient();
      gradient.attach(scope);
      NDList operands = new NDList(parameter, gradient, first.get(i), second.get(i));
      parameter
          .getNDArrayInternal()
          .adamUpdate(
              operands,
              new NDList(parameter),
              1e-3f,
              correction,
              0,
              1,
              -1,
              0.9f,
              0.999f,
              1e-8f,
              true,
              false);
    }
  }

  @Override
  public float[] results() {
    float before = loss;
    run();
    return Values.descent(before, loss, Work.RecurrentTraining.CLASSES);
  }

  @Override
  public void close() {
    manager.close();
  }
}
