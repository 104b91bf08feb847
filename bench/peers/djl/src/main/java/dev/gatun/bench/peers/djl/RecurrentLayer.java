package dev.gatun.bench.peers.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Work;

/// One layer of a GRU or an LSTM; the first axis is time.
///
/// @param cell which
/// @param weights of inputs and states, and their offsets
record RecurrentLayer(Work.Gated cell, NDList weights) {
  static RecurrentLayer of(NDManager manager, Work.Gated cell, int features, int units) {
    if (cell == Work.Gated.UGRNN) {
      throw new UnsupportedOperationException("DJL has no UGRNN");
    }
    long rows = (long) cell.gates() * units;
    RecurrentWeights weights = RecurrentWeights.of(cell, features, units);
    return new RecurrentLayer(
        cell,
        new NDList(
            manager.create(weights.input(), new Shape(rows, features)),
            manager.create(weights.state(), new Shape(rows, units)),
            manager.create(weights.inputBias()),
            manager.create(weights.stateBias())));
  }

  /// The outputs `[T,B,H]`, then the last states `[1,B,H]`.
  NDList run(NDArray x, NDList first, boolean training) {
    return cell == Work.Gated.GRU
        ? x.getNDArrayInternal()
            .gru(x, first.getFirst(), weights, true, 1, 0, training, false, false)
        : x.getNDArrayInternal().lstm(x, first, weights, true, 1, 0, training, false, false);
  }

  /// First states of zeros.
  NDList zeros(NDManager manager, int batch, int units) {
    NDList states = new NDList();
    for (int i = 0; i < (cell == Work.Gated.GRU ? 1 : 2); i++) {
      states.add(manager.zeros(new Shape(1, batch, units)));
    }
    return states;
  }
}
