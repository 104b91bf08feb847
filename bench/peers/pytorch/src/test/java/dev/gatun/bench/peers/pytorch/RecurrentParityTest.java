package dev.gatun.bench.peers.pytorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Cell;
import dev.gatun.Device;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recurrent;
import dev.gatun.Trainer;
import dev.gatun.bench.peers.Values;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Recurrent layers are PyTorch's: outputs, losses, and the gradients of all parameters, those of a
/// dense layer below among them.
class RecurrentParityTest {
  private static final int BATCH = 3;
  private static final int STEPS = 9;
  private static final int FEATURES = 5;
  private static final int UNITS = 6;

  // Both round to f32 in each sum, in another order.
  private static final float TOLERANCE = 1e-5f;

  /// Layer `layer` and direction `direction` of PyTorch's parameters.
  private record Part(
      int layer, int direction, Tensor input, Tensor state, Tensor bias, Tensor inner) {
    void addTo(List<Tensor> all) {
      all.addAll(List.of(input, state, bias, inner));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "TANH, 1, false",
    "TANH, 2, true",
    "RELU, 2, false",
    "GRU, 1, false",
    "GRU, 2, true",
    "LSTM, 1, false",
    "LSTM, 2, true"
  })
  void cells(Cell cell, int layers, boolean both) {
    Recurrent layer = Recurrent.of(cell, UNITS).layers(layers);
    layer = both ? layer.bidirectional() : layer;
    int directions = both ? 2 : 1;
    Net net = Net.input(STEPS, FEATURES).dense(FEATURES).recurrent(layer);
    float[] x = Values.uniform(BATCH * STEPS * FEATURES, 1);
    try (Device device = Device.cpu(2);
        Trainer trainer =
            Trainer.of(net)
                .on(device)
                .optimizer(Optimizer.sgd(1))
                .loss((outputs, targets) -> outputs.square().mean());
        PointerScope _ = new PointerScope()) {
      Model model = trainer.model();
      for (int i = 0; i < model.parameterNames().size(); i++) {
        String name = model.parameterNames().get(i);
        model.write(name, scaled(Math.toIntExact(model.shape(name).count()), 10 + i));
      }
      String kind = model.parameterNames().getLast().split("\\.", -1)[0];
      Tensor dense = tensor(model, "dense0.weight", 0, 1);
      Tensor offset = tensor(model, "dense0.bias", 0, 1);
      List<Part> parts = new ArrayList<>();
      for (int k = 0; k < layers; k++) {
        for (int d = 0; d < directions; d++) {
          parts.add(part(model, cell, kind + ".layer" + k, k, d, directions));
        }
      }
      List<Tensor> all = new ArrayList<>();
      parts.forEach(part -> part.addTo(all));
      TensorVector parameters = new TensorVector(all.toArray(Tensor[]::new));
      Tensor inputs =
          torch.linear(Tensors.of(x, BATCH, STEPS, FEATURES), dense, new TensorOptional(offset));
      Tensor y = run(cell, inputs, parameters, layers, both);
      Tensor loss = y.mul(y).mean();
      loss.backward();

      assertArrayEquals(Tensors.toArray(y), model.predict(x), TOLERANCE);
      Gradients gradients = new Gradients(trainer, x, directions);
      assertEquals(loss.item_float(), gradients.loss, TOLERANCE * Math.abs(gradients.loss));
      gradients.check("dense0.weight", 0, 1, dense);
      gradients.check("dense0.bias", 0, 1, offset);
      for (Part part : parts) {
        String path = kind + ".layer" + part.layer() + ".";
        gradients.check(path + "inputWeight", part.direction(), directions, part.input());
        gradients.check(path + "recurrentWeight", part.direction(), directions, part.state());
        gradients.check(path + "bias", part.direction(), directions, part.bias());
        if (cell.hasInnerBias()) {
          float[] inner = Tensors.toArray(part.inner().grad());
          gradients.check(
              path + "recurrentBias",
              part.direction(),
              directions,
              Arrays.copyOfRange(inner, 2 * UNITS, 3 * UNITS));
        }
      }
    }
  }

  private static Tensor run(
      Cell cell, Tensor x, TensorVector parameters, int layers, boolean both) {
    int directions = both ? 2 : 1;
    Tensor first = torch.zeros(new long[] {(long) layers * directions, BATCH, UNITS});
    return switch (cell) {
      case TANH -> torch.rnn_tanh(x, first, parameters, true, layers, 0, true, both, true).get0();
      case RELU -> torch.rnn_relu(x, first, parameters, true, layers, 0, true, both, true).get0();
      case GRU -> torch.gru(x, first, parameters, true, layers, 0, true, both, true).get0();
      case LSTM ->
          torch
              .lstm(
                  x, new TensorVector(first, first), parameters, true, layers, 0, true, both, true)
              .get0();
      default -> throw new IllegalArgumentException("PyTorch has no " + cell);
    };
  }

  /// PyTorch has a second offset for each sum; it is 0 but where a GRU has one inside its reset
  /// gate.
  private static Part part(
      Model model, Cell cell, String path, int layer, int direction, int directions) {
    Tensor inner = torch.zeros(new long[] {(long) cell.gates() * UNITS});
    if (cell.hasInnerBias()) {
      float[] own = half(model.read(path + ".recurrentBias"), direction, directions);
      float[] padded = new float[3 * UNITS];
      System.arraycopy(own, 0, padded, 2 * UNITS, UNITS);
      inner = Tensors.of(padded, padded.length);
    }
    return new Part(
        layer,
        direction,
        tensor(model, path + ".inputWeight", direction, directions),
        tensor(model, path + ".recurrentWeight", direction, directions),
        tensor(model, path + ".bias", direction, directions),
        inner.requires_grad_(true));
  }

  private static Tensor tensor(Model model, String name, int direction, int directions) {
    long[] dims = model.shape(name).toArray();
    dims[0] /= directions;
    return Tensors.of(half(model.read(name), direction, directions), dims).requires_grad_(true);
  }

  private static float[] half(float[] all, int direction, int directions) {
    int each = all.length / directions;
    return Arrays.copyOfRange(all, direction * each, (direction + 1) * each);
  }

  private static float[] scaled(int count, int seed) {
    float[] values = Values.uniform(count, seed);
    for (int i = 0; i < count; i++) {
      values[i] *= 0.4f;
    }
    return values;
  }

  /// What a step of gradient descent with rate 1 takes from the parameters.
  private static final class Gradients {
    private final Trainer trainer;
    private final Map<String, float[]> before = new HashMap<>();
    private final float loss;

    Gradients(Trainer trainer, float[] x, int directions) {
      this.trainer = trainer;
      for (String name : trainer.model().parameterNames()) {
        before.put(name, trainer.model().read(name));
      }
      loss = trainer.step(x, new float[BATCH * STEPS * UNITS * directions], 1);
    }

    void check(String name, int direction, int directions, Tensor theirs) {
      check(name, direction, directions, Tensors.toArray(theirs.grad()));
    }

    void check(String name, int direction, int directions, float[] theirs) {
      float[] gradient = Objects.requireNonNull(before.get(name)).clone();
      float[] after = trainer.model().read(name);
      for (int i = 0; i < gradient.length; i++) {
        gradient[i] -= after[i];
      }
      float greatest = 0;
      for (float slope : theirs) {
        greatest = Math.max(greatest, Math.abs(slope));
      }
      // The difference of weights of up to 0.4 has an error of 3e-8.
      assertArrayEquals(
          theirs,
          half(gradient, direction, directions),
          TOLERANCE * greatest + 1e-7f,
          name + " " + direction);
    }
  }
}
