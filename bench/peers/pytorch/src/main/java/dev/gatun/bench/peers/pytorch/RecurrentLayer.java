package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.Work;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/// One layer of PyTorch's GRU or LSTM; sequences lie one after the other along the first axis,
/// which is time.
///
/// @param cell which
/// @param weights of inputs and states, and their offsets
record RecurrentLayer(Work.Gated cell, List<Tensor> weights) {
  static RecurrentLayer of(Work.Gated cell, int features, int units) {
    int gates = cell == Work.Gated.GRU ? 3 : 4;
    long rows = (long) gates * units;
    double scale = 1 / Math.sqrt(units);
    return new RecurrentLayer(
        cell,
        Stream.of(
                new long[] {rows, features},
                new long[] {rows, units},
                new long[] {rows},
                new long[] {rows})
            .map(dims -> keep(uniform(3, dims).mul(new Scalar(scale))))
            .toList());
  }

  /// The outputs `[T,B,H]`, then the last states `[1,B,H]`.
  List<Tensor> run(Tensor x, List<Tensor> first, boolean training) {
    TensorVector parameters = new TensorVector(weights.toArray(Tensor[]::new));
    if (cell == Work.Gated.GRU) {
      T_TensorTensor_T y =
          torch.gru(x, first.getFirst(), parameters, true, 1, 0, training, false, false);
      return List.of(y.get0(), y.get1());
    }
    T_TensorTensorTensor_T y =
        torch.lstm(
            x,
            new TensorVector(first.toArray(Tensor[]::new)),
            parameters,
            true,
            1,
            0,
            training,
            false,
            false);
    return List.of(y.get0(), y.get1(), y.get2());
  }

  /// First states of zeros.
  List<Tensor> zeros(int batch, int units) {
    return Stream.generate(() -> keep(torch.zeros(1, batch, units)))
        .limit(cell == Work.Gated.GRU ? 1 : 2)
        .toList();
  }
}
