package dev.gatun.cli.plot;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.random.RandomStream;
import java.util.ArrayList;
import java.util.List;

/// Histograms of the signals in six layers of tanh, by layer, as lectures show them: weights too
/// small, for which signals fade; too large, for which they are at the ends; and of a variance of
/// one over the inputs. And those of Glorot and Bengio (2010): signals and the gradients that come
/// back for uniform weights within ±1 / √n, then the standard, and within ±√(6 / 2n).
///
/// Lectures have 4096 units and weights of deviation 0.01 and 0.05; what counts is that times the
/// root of their number, which is the same here.
final class SignalFigure {
  static final int LAYERS = 6;

  private static final int WIDTH = 512;
  private static final int ROWS = 128;
  private static final int BINS = 41;

  private SignalFigure() {}

  /// How weights are drawn.
  private enum Draw {
    NORMAL,
    UNIFORM
  }

  static Figure of(Device device, long seed) {
    double standard = 1 / Math.sqrt(3); // of ±1 / √n, beside 1 / √n
    List<List<Curve>> before = curves(device, seed, Draw.UNIFORM, standard);
    List<List<Curve>> after = curves(device, seed, Draw.UNIFORM, 1);
    Axis signal = Axis.linear("signal").within(-1, 1);
    Axis slope = Axis.linear("gradient").within(-3, 3);
    return Figure.of(
        panel("Small weights, 0.64 / √n", signal, curves(device, seed, Draw.NORMAL, 0.64).get(0)),
        panel("Large weights, 3.2 / √n", signal, curves(device, seed, Draw.NORMAL, 3.2).get(0)),
        panel("Xavier's weights, 1 / √n", signal, curves(device, seed, Draw.NORMAL, 1).get(0)),
        panel("Standard uniform weights", signal, before.get(0)),
        panel("Normalised uniform weights", signal, after.get(0)),
        panel("Gradients, standard", slope, before.get(1)),
        panel("Gradients, normalised", slope, after.get(1)));
  }

  private static Panel panel(String title, Axis x, List<Curve> curves) {
    return new Panel(title, x, Axis.logarithmic("share of numbers").within(1e-3, 1), curves);
  }

  /// Histograms of signals and of gradients.
  private static List<List<Curve>> curves(Device device, long seed, Draw draw, double gain) {
    List<Curve> signals = new ArrayList<>();
    List<Curve> gradients = new ArrayList<>();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, seed, ROWS, WIDTH);
      Tensor above = Tensor.randn(device, seed + 1, ROWS, WIDTH);
      Tensor[] weights = new Tensor[LAYERS];
      Tensor[] nothing = new Tensor[LAYERS]; // added to the signals, to have their gradients
      for (int l = 0; l < LAYERS; l++) {
        nothing[l] = Tensor.zeros(device, DType.F32, ROWS, WIDTH);
        weights[l] = weights(device, seed + 2 + l, draw).times(gain / Math.sqrt(WIDTH));
      }
      Tensor h = x;
      for (int l = 0; l < LAYERS; l++) {
        h = h.matmul(weights[l]).tanh();
        signals.add(histogram("layer " + (l + 1), h, 1));
      }
      List<Tensor> slopes =
          Functions.grad(
                  in -> {
                    Tensor y = x;
                    for (int l = 0; l < LAYERS; l++) {
                      y = y.matmul(weights[l]).tanh().plus(in[l]);
                    }
                    return y.times(above).sum();
                  })
              .apply(nothing);
      for (int l = 0; l < LAYERS; l++) {
        gradients.add(histogram("layer " + (l + 1), slopes.get(l), 3));
      }
    }
    return List.of(signals, gradients);
  }

  /// Of variance 1.
  private static Tensor weights(Device device, long seed, Draw draw) {
    if (draw == Draw.NORMAL) {
      return Tensor.randn(device, seed, WIDTH, WIDTH);
    }
    RandomStream random = new RandomStream(seed, 0);
    float[] elements = new float[WIDTH * WIDTH];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = (float) (Math.sqrt(3) * (2 * random.nextDouble() - 1));
    }
    return Tensor.of(device, elements, WIDTH, WIDTH);
  }

  /// The shares of numbers in equal parts of [-end, end], at their middles; NaN where there is
  /// none, for which a logarithmic axis has no place.
  private static Curve histogram(String name, Tensor tensor, double end) {
    double[] middles = new double[BINS];
    double[] shares = new double[BINS];
    for (int k = 0; k < BINS; k++) {
      middles[k] = end * ((2 * k + 1.0) / BINS - 1);
    }
    float[] elements = tensor.toFloatArray();
    for (float element : elements) {
      int bin = (int) Math.floor((element / end + 1) / 2 * BINS);
      if (bin >= 0 && bin <= BINS) {
        shares[Math.min(bin, BINS - 1)] += 1.0 / elements.length;
      }
    }
    for (int k = 0; k < BINS; k++) {
      shares[k] = shares[k] == 0 ? Double.NaN : shares[k];
    }
    return Curve.line(name, middles, shares);
  }
}
