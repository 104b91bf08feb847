package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.DrawnCharacters;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The training cost by epoch of seven optimizers on the same net, as in the figures of Kingma and
/// Ba 2015: a perceptron of two hidden layers learns pictures of characters.
final class CostFigure {
  private static final int PICTURES = 1_800;
  private static final int BATCH = 60;
  private static final int EPOCHS = 12;

  private static final Map<String, Optimizer> OPTIMIZERS = new LinkedHashMap<>();

  static {
    OPTIMIZERS.put("SGD", Optimizer.sgd(0.3));
    OPTIMIZERS.put("momentum", Optimizer.sgd(0.03).momentum(0.9));
    OPTIMIZERS.put("Nesterov", Optimizer.sgd(0.03).nesterov(0.9));
    OPTIMIZERS.put("AdaGrad", Optimizer.adaGrad(0.02));
    OPTIMIZERS.put("RMSProp", Optimizer.rmsProp(0.003));
    OPTIMIZERS.put("Adam", Optimizer.adam(0.003));
    OPTIMIZERS.put("Lion", Optimizer.lion(0.001));
  }

  private CostFigure() {}

  static Figure of(Device device, long seed) {
    Dataset train = DrawnCharacters.make(seed, PICTURES, 1).train();
    Net net =
        Net.input(32, 32, 3)
            .averagePool(4)
            .flatten()
            .dense(64)
            .relu()
            .dense(64)
            .relu()
            .dense(train.classes());
    List<Curve> costs = new ArrayList<>();
    OPTIMIZERS.forEach(
        (name, optimizer) ->
            costs.add(Curve.counted(name, costs(device, net, optimizer, train, seed))));
    return Figure.of(
        new Panel("Training cost", Axis.linear("epoch"), Axis.linear("cross-entropy"), costs));
  }

  private static double[] costs(
      Device device, Net net, Optimizer optimizer, Dataset train, long seed) {
    try (Trainer trainer = Trainer.of(net).on(device).seed(seed).optimizer(optimizer)) {
      return trainer.fit(train.batch(BATCH), Span.epochs(EPOCHS)).epochs().stream()
          .mapToDouble(History.Epoch::trainLoss)
          .toArray();
    }
  }
}
