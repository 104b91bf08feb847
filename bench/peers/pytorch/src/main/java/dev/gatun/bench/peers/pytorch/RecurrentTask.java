package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// A training step of a recurrent layer and a dense head, time first, with fused Adam.
final class RecurrentTask implements Side.Task {
  private final RecurrentLayer layer;
  private final List<Tensor> parameters;
  private final List<Tensor> first;
  private final List<Tensor> second;
  private final List<Tensor> steps;
  private final List<Tensor> zeros;
  private final Tensor inputs;
  private final Tensor labels;
  private final FusedOptimizer optimizer = FusedOptimizer.adam();
  private float loss;

  RecurrentTask(Work.RecurrentTraining work) {
    int units = Work.RecurrentTraining.UNITS;
    int classes = Work.RecurrentTraining.CLASSES;
    int batch = Work.RecurrentTraining.BATCH;
    layer = RecurrentLayer.of(work.cell(), Work.RecurrentTraining.FEATURES, units);
    parameters = new ArrayList<>(layer.weights());
    parameters.add(keep(Tensors.of(RecurrentWeights.head(classes, units), classes, units)));
    parameters.add(keep(torch.zeros(classes)));
    parameters.forEach(parameter -> parameter.requires_grad_(true));
    first = zerosLike();
    second = zerosLike();
    steps = parameters.stream().map(_ -> keep(torch.zeros(1))).toList();
    zeros = layer.zeros(batch, units);
    inputs = keep(uniform(1, Work.RecurrentTraining.STEPS, batch, Work.RecurrentTraining.FEATURES));
    labels = keep(Tensors.labels(Work.RecurrentTraining.STEPS * batch, classes));
  }

  private List<Tensor> zerosLike() {
    return parameters.stream().map(torch::zeros_like).map(Tensors::keep).toList();
  }

  @Override
  public void run() {
    try (PointerScope _ = new PointerScope()) {
      Tensor y = layer.run(inputs, zeros, true).getFirst();
      Tensor logits =
          torch.linear(
              y.reshape(-1, Work.RecurrentTraining.UNITS),
              parameters.get(parameters.size() - 2),
              new TensorOptional(parameters.getLast()));
      Tensor value = torch.cross_entropy_loss(logits, labels);
      value.backward();
      loss = value.item_float();
      try (NoGradGuard _ = new NoGradGuard()) {
        List<Tensor> gradients = parameters.stream().map(Tensor::grad).toList();
        optimizer.step(parameters, gradients, first, second, steps);
        parameters.forEach(parameter -> parameter.mutable_grad().reset());
      }
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
    List.of(parameters, first, second, steps, zeros, List.of(inputs, labels))
        .forEach(list -> list.forEach(Tensor::close));
  }
}
