package dev.gatun.net;

import dev.gatun.Cell;
import dev.gatun.Recurrent;
import dev.gatun.Recurrent.Option;
import dev.gatun.Tensor;
import java.util.Map;
import java.util.Objects;

/// Recurrent layers by their formulas: one sequence, one step, one gate after the other.
final class RecurrentLoops {
  private final Recurrent layer;
  private final Map<String, Tensor> parameters;
  private final String path;

  private RecurrentLoops(Recurrent layer, int index, Map<String, Tensor> parameters) {
    this.layer = layer;
    this.parameters = parameters;
    this.path = "layer" + index + ".";
  }

  /// Layer `index` on its inputs.
  static Sequences run(Recurrent layer, int index, Sequences x, Map<String, Tensor> parameters) {
    RecurrentLoops loops = new RecurrentLoops(layer, index, parameters);
    return switch (layer.direction()) {
      case FORWARD -> loops.run(x, 0);
      case REVERSE -> loops.run(x.reversed(), 0).reversed();
      case BOTH -> loops.run(x, 0).beside(loops.run(x.reversed(), 1).reversed());
    };
  }

  private Sequences run(Sequences x, int direction) {
    Sequences y = Sequences.zeros(x.batch(), x.steps(), layer.units());
    for (int n = 0; n < x.batch(); n++) {
      double[] h = new double[layer.units()];
      double[] c = new double[layer.units()];
      for (int t = 0; t < x.steps(); t++) {
        double[] input = new double[x.features()];
        for (int i = 0; i < input.length; i++) {
          input[i] = x.get(n, t, i);
        }
        double[] out = step(direction, input, h, c);
        for (int i = 0; i < out.length; i++) {
          y.set(n, t, i, out[i]);
        }
      }
    }
    return y;
  }

  /// The output; h and c become the next ones.
  private double[] step(int d, double[] x, double[] h, double[] c) {
    double[][] a = new double[layer.cell().gates()][];
    for (int gate = 0; gate < a.length; gate++) {
      a[gate] = product("inputWeight", d, gate, x);
    }
    normalise(a, 0, a.length, "inputNorm", d);
    for (int gate = 0; gate < a.length; gate++) {
      add(a[gate], vector("bias", d, gate));
    }
    double[][] u = new double[a.length][];
    for (int gate = 0; gate < a.length; gate++) {
      u[gate] = product("recurrentWeight", d, gate, h);
    }
    boolean twoParts = layer.cell() == Cell.GRU || layer.cell() == Cell.GRU_RESET_BEFORE;
    int border = twoParts ? 2 : u.length;
    normalise(u, 0, border, "recurrentNorm", d);
    if (layer.cell() == Cell.GRU) {
      normalise(u, border, u.length, "recurrentNorm", d);
    }
    double[] out = new double[h.length];
    double[] next = new double[h.length];
    double[] reset = null;
    if (layer.cell() == Cell.GRU_RESET_BEFORE) {
      double[] read = new double[h.length];
      for (int i = 0; i < h.length; i++) {
        read[i] = sigmoid(a[0][i] + u[0][i]) * h[i];
      }
      u[2] = product("recurrentWeight", d, 2, read);
      normalise(u, border, u.length, "recurrentNorm", d);
      reset = u[2];
    }
    for (int i = 0; i < h.length; i++) {
      double s0 = a[0][i] + u[0][i];
      switch (layer.cell()) {
        case TANH -> next[i] = Math.tanh(s0);
        case RELU -> next[i] = Math.max(s0, 0);
        case SIGMOID -> next[i] = sigmoid(s0);
        case UGRNN -> {
          double g = sigmoid(a[1][i] + u[1][i]);
          next[i] = g * h[i] + (1 - g) * Math.tanh(s0);
        }
        case GRU -> {
          double inside = u[2][i] + vector("recurrentBias", d, 0)[i];
          double z = sigmoid(a[1][i] + u[1][i]);
          next[i] = (1 - z) * Math.tanh(a[2][i] + sigmoid(s0) * inside) + z * h[i];
        }
        case GRU_RESET_BEFORE -> {
          double z = sigmoid(a[1][i] + u[1][i]);
          double inside = reset == null ? Double.NaN : reset[i];
          next[i] = (1 - z) * Math.tanh(a[2][i] + inside) + z * h[i];
        }
        case LSTM -> {
          double f = sigmoid(a[1][i] + u[1][i]);
          c[i] = f * c[i] + sigmoid(s0) * Math.tanh(a[2][i] + u[2][i]);
          next[i] = sigmoid(a[3][i] + u[3][i]) * Math.tanh(c[i]);
        }
        case INTERSECTION -> {
          double gy = sigmoid(a[2][i] + u[2][i]);
          double gh = sigmoid(a[3][i] + u[3][i]);
          next[i] = gh * h[i] + (1 - gh) * Math.tanh(a[1][i] + u[1][i]);
          out[i] = gy * x[i] + (1 - gy) * Math.max(s0, 0);
        }
      }
    }
    System.arraycopy(next, 0, h, 0, h.length);
    return layer.cell().hasSkip() ? out : next;
  }

  /// The gates from `begin` to `end` by their common mean and variance, if the layer has norms.
  private void normalise(double[][] a, int begin, int end, String name, int d) {
    if (!layer.options().contains(Option.LAYER_NORM)) {
      return;
    }
    int count = (end - begin) * layer.units();
    double mean = 0;
    for (int gate = begin; gate < end; gate++) {
      for (double value : a[gate]) {
        mean += value / count;
      }
    }
    double variance = 0;
    for (int gate = begin; gate < end; gate++) {
      for (double value : a[gate]) {
        variance += (value - mean) * (value - mean) / count;
      }
    }
    for (int gate = begin; gate < end; gate++) {
      double[] gain = vector(name, d, gate);
      for (int i = 0; i < gain.length; i++) {
        a[gate][i] = gain[i] * (a[gate][i] - mean) / Math.sqrt(variance + 1e-5);
      }
    }
  }

  private double[] product(String name, int d, int gate, double[] x) {
    double[] weights = Objects.requireNonNull(parameters.get(path + name)).toDoubleArray();
    double[] y = new double[layer.units()];
    int first = (d * layer.cell().gates() + gate) * layer.units() * x.length;
    for (int i = 0; i < y.length; i++) {
      for (int k = 0; k < x.length; k++) {
        y[i] += weights[first + i * x.length + k] * x[k];
      }
    }
    return y;
  }

  private double[] vector(String name, int d, int gate) {
    double[] all = Objects.requireNonNull(parameters.get(path + name)).toDoubleArray();
    int gates = name.equals("recurrentBias") ? 1 : layer.cell().gates();
    double[] own = new double[layer.units()];
    System.arraycopy(all, (d * gates + gate) * own.length, own, 0, own.length);
    return own;
  }

  private static void add(double[] a, double[] b) {
    for (int i = 0; i < a.length; i++) {
      a[i] += b[i];
    }
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}
