package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.channelsSecond;
import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/// A training step: forward, cross-entropy, backward, fused SGD.
final class TrainingTask implements Side.Task {
  private final Network network;
  private final EagerNet net;
  private final Tensor pictures;
  private final Tensor labels;
  private final FusedOptimizer optimizer = FusedOptimizer.sgd();
  private List<Tensor> velocities = List.of();
  private float loss;

  TrainingTask(Work.Training work) {
    network = work.network();
    net =
        new EagerNet(
            work.precision().equals("bf16") ? EagerNet.Mode.TRAINING_BF16 : EagerNet.Mode.TRAINING);
    pictures = keep(pictures(network, work.batch()));
    labels = keep(Tensors.labels(work.batch(), network.classes()));
  }

  static Tensor pictures(Network network, int batch) {
    return network == Network.MLP
        ? uniform(1, batch, network.channels())
        : channelsSecond(uniform(1, batch, network.side(), network.side(), network.channels()));
  }

  @Override
  public void run() {
    try (PointerScope _ = new PointerScope()) {
      net.restart();
      Tensor logits = network.build(net, pictures).to(torch.ScalarType.Float);
      Tensor value = torch.cross_entropy_loss(logits, labels);
      value.backward();
      loss = value.item_float();
      try (NoGradGuard _ = new NoGradGuard()) {
        update();
      }
    }
  }

  private void update() {
    List<Tensor> parameters = net.parameters();
    if (velocities.isEmpty() && network != Network.MLP) {
      velocities = parameters.stream().map(torch::zeros_like).map(Tensors::keep).toList();
    }
    optimizer.step(parameters, parameters.stream().map(Tensor::grad).toList(), velocities);
    parameters.forEach(parameter -> parameter.mutable_grad().reset());
  }

  @Override
  public float[] results() {
    return Values.training(net.parameterCount(), loss);
  }

  @Override
  public void close() {
    net.close();
    velocities.forEach(Tensor::close);
    pictures.close();
    labels.close();
  }
}
