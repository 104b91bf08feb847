package dev.gatun.bench.peers.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Work;

/// The logits of a batch, norms folded.
final class InferenceTask implements Side.Task {
  private final Network network;
  private final NDManager manager;
  private final EagerNet net;
  private final NDArray pictures;
  private float[] logits = {};

  InferenceTask(NDManager root, Work.Inference work) {
    network = work.network();
    manager = root.newSubManager();
    net = EagerNet.folded(manager);
    pictures = TrainingTask.pictures(manager, network, work.batch());
  }

  @Override
  public void run() {
    try (NDManager scope = manager.newSubManager()) {
      pictures.tempAttach(scope);
      net.restart();
      logits = network.build(net, pictures).toFloatArray();
    }
  }

  @Override
  public float[] results() {
    return new float[] {logits.length};
  }

  @Override
  public void close() {
    manager.close();
  }
}
