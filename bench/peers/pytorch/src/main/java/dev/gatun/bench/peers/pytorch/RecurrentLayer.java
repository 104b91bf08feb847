package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.keep;

import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Work;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/// One layer of PyTorch's GRU or LSTM, or of a UGRNN as one writes it in PyTorch; sequences lie one
/// after the other along the first axis, which is time.
///
/// @param cell which
/// @param weights of inputs and states, and their offsets; one of them in a UGRNN
record RecurrentLayer(Work.Gated cell, List<Tensor> weights) {
  static RecurrentLayer of(Work.Gated cell, int features, int units) {
    long rows = (long) cell.gates() * units;
    RecurrentWeights weights = RecurrentWeights.of(cell, features, units);
    List<Tensor> all = new ArrayList<>();
    all.add(keep(Tensors.of(weights.input(), rows, features)));
    all.add(keep(Tensors.of(weights.state(), rows, units)));
    all.add(keep(Tensors.of(weights.inputBias(), rows)));
    if (cell != Work.Gated.UGRNN) {
      all.add(keep(Tensors.of(weights.stateBias(), rows)));
    }
    return new RecurrentLayer(cell, List.copyOf(all));
  }

  /// The outputs `[T,B,H]`, then the last states `[1,B,H]`.
  List<Tensor> run(Tensor x, List<Tensor> first, boolean training) {
    return switch (cell) {
      case GRU -> {
        T_TensorTensor_T y =
            torch.gru(x, first.getFirst(), parameters(), true, 1, 0, training, false, false);
        yield List.of(y.get0(), y.get1());
      }
      case LSTM -> {
        T_TensorTensorTensor_T y =
            torch.lstm(
                x,
                new TensorVector(first.toArray(Tensor[]::new)),
                parameters(),
                true,
                1,
                0,
                training,
                false,
                false);
        yield List.of(y.get0(), y.get1(), y.get2());
      }
      case UGRNN -> ugrnn(x, first.getFirst());
    };
  }

  private TensorVector parameters() {
    return new TensorVector(weights.toArray(Tensor[]::new));
  }

  /// The products of all inputs at once; then, for each step, that of the state added to them in
  /// one operation, the two gates as views of it, and the mixture in one operation.
  private List<Tensor> ugrnn(Tensor x, Tensor first) {
    TensorVector inputs =
        torch.linear(x, weights.get(0), new TensorOptional(weights.get(2))).unbind();
    Tensor turned = weights.get(1).t();
    TensorVector outputs = new TensorVector();
    Tensor h = first.squeeze(0);
    for (long t = 0; t < inputs.size(); t++) {
      TensorVector gates = torch.addmm(inputs.get(t), h, turned).chunk(2, 1);
      h = torch.lerp(torch.tanh(gates.get(0)), h, torch.sigmoid(gates.get(1)));
      outputs.push_back(h);
    }
    return List.of(torch.stack(outputs), h.unsqueeze(0));
  }

  /// First states of zeros.
  List<Tensor> zeros(int batch, int units) {
    return Stream.generate(() -> keep(torch.zeros(1, batch, units)))
        .limit(cell == Work.Gated.LSTM ? 2 : 1)
        .toList();
  }
}
