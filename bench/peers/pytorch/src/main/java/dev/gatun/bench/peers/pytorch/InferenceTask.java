package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.keep;

import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Work;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/// The logits of a batch, norms folded.
final class InferenceTask implements Side.Task {
  private final Network network;
  private final EagerNet net = new EagerNet(EagerNet.Mode.FOLDED);
  private final Tensor pictures;
  private float[] logits = {};

  InferenceTask(Work.Inference work) {
    network = work.network();
    pictures = keep(TrainingTask.pictures(network, work.batch()));
  }

  @Override
  public void run() {
    try (PointerScope _ = new PointerScope();
        NoGradGuard _ = new NoGradGuard()) {
      net.restart();
      logits = Tensors.toArray(network.build(net, pictures));
    }
  }

  @Override
  public float[] results() {
    return new float[] {logits.length};
  }

  @Override
  public void close() {
    net.close();
    pictures.close();
  }
}
