package dev.gatun.backend.reference;

import dev.gatun.Cell;
import dev.gatun.backend.reference.Elements.Reals;
import dev.gatun.backend.reference.Recurrent.Extents;
import org.jspecify.annotations.Nullable;

/// A recurrent layer's walk along sequences, one after the other.
record RecurrentForward(
    Extents e,
    Reals y,
    Reals last,
    @Nullable Reals lastCell,
    @Nullable Reals saved,
    Reals x,
    @Nullable Reals skip,
    Reals weights,
    @Nullable Reals bias,
    @Nullable Reals gain,
    @Nullable Reals first,
    @Nullable Reals firstCell,
    @Nullable Reals mask,
    @Nullable Reals keep)
    implements Runnable {
  /// The saved value that is a state: c of an LSTM, h of the intersection cell.
  static final int SAVED_STATE = 4;

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @Override
  public void run() {
    for (int d = 0; d < e.directions(); d++) {
      for (int b = 0; b < e.batch(); b++) {
        walk(d, b);
      }
    }
  }

  private void walk(int d, int b) {
    int units = e.units();
    double[] h = new double[units];
    double[] c = new double[units];
    int state = e.state(d, b);
    for (int i = 0; i < units; i++) {
      h[i] = first == null ? 0 : first.get(state + i);
      c[i] = firstCell == null ? 0 : firstCell.get(state + i);
    }
    for (int n = 0; n < e.steps(); n++) {
      step(d, e.step(d, n), b, h, c);
    }
    for (int i = 0; i < units; i++) {
      last.set(state + i, h[i]);
      if (lastCell != null) {
        lastCell.set(state + i, c[i]);
      }
    }
  }

  private void step(int d, int t, int b, double[] h, double[] c) {
    Cell cell = e.cell();
    int units = e.units();
    if (mask != null && mask.get(t * e.batch() + b) == 0) {
      for (int i = 0; i < units; i++) {
        y.set(e.at(d, t, b, 1, 0) + i, cell.hasSkip() ? 0 : h[i]);
        for (int v = 0; v < e.saved(); v++) {
          double kept = cell.hasCell() ? c[i] : h[i];
          save(d, t, b, v, i, v == SAVED_STATE && v < cell.saved() ? kept : 0);
        }
      }
      return;
    }
    double[] read = h.clone();
    for (int i = 0; keep != null && i < units; i++) {
      read[i] *= keep.get(e.state(d, b) + i);
    }
    double[][] sums = new double[cell.gates()][];
    addProducts(sums, 0, e.normBorder(), read, d, t, b);
    if (e.normBorder() < cell.gates()) {
      double[] from = read.clone();
      for (int i = 0; cell == Cell.GRU_RESET_BEFORE && i < units; i++) {
        from[i] *= sigmoid(sums[0][i]);
      }
      addProducts(sums, e.normBorder(), cell.gates(), from, d, t, b);
    }
    for (int i = 0; i < units; i++) {
      y.set(e.at(d, t, b, 1, 0) + i, unit(d, t, b, i, sums, h, c));
    }
  }

  /// The sums of the gates from `begin` to `end`, whose products are normalised together.
  private void addProducts(
      double[][] sums, int begin, int end, double[] from, int d, int t, int b) {
    for (int gate = begin; gate < end; gate++) {
      sums[gate] = product(d, gate, from);
    }
    if (gain != null) {
      for (int gate = begin; gate < end; gate++) {
        for (int i = 0; i < from.length; i++) {
          save(d, t, b, e.cell().saved() + gate, i, sums[gate][i]);
        }
      }
      new RecurrentNorm(e, gain, d, begin, end).forward(sums);
    }
    for (int gate = begin; gate < end; gate++) {
      int offset = e.at(d, t, b, e.cell().gates(), gate);
      // The candidate of a GRU has its product inside the reset gate, and the input outside.
      for (int i = 0; (e.cell() != Cell.GRU || gate < 2) && i < from.length; i++) {
        sums[gate][i] += x.get(offset + i);
      }
    }
  }

  private double[] product(int d, int gate, double[] from) {
    double[] sums = new double[from.length];
    for (int i = 0; i < from.length; i++) {
      int row = e.row(d, gate, i);
      for (int k = 0; k < from.length; k++) {
        sums[i] += weights.get(row + k) * from[k];
      }
    }
    return sums;
  }

  /// The new state of a unit, and what it gives out.
  private double unit(int d, int t, int b, int i, double[][] a, double[] h, double[] c) {
    switch (e.cell()) {
      case TANH -> h[i] = Math.tanh(a[0][i]);
      case RELU -> h[i] = Math.max(a[0][i], 0);
      case SIGMOID -> h[i] = sigmoid(a[0][i]);
      case UGRNN -> {
        double candidate = Math.tanh(a[0][i]);
        double gate = sigmoid(a[1][i]);
        save(d, t, b, i, candidate, gate);
        h[i] = gate * h[i] + (1 - gate) * candidate;
      }
      case GRU -> {
        double reset = sigmoid(a[0][i]);
        double update = sigmoid(a[1][i]);
        double inside = a[2][i] + (bias == null ? 0 : bias.get(d * e.units() + i));
        double candidate = Math.tanh(x.get(e.at(d, t, b, 3, 2) + i) + reset * inside);
        save(d, t, b, i, reset, update, candidate, inside);
        h[i] = (1 - update) * candidate + update * h[i];
      }
      case GRU_RESET_BEFORE -> {
        double update = sigmoid(a[1][i]);
        double candidate = Math.tanh(a[2][i]);
        save(d, t, b, i, sigmoid(a[0][i]), update, candidate);
        h[i] = (1 - update) * candidate + update * h[i];
      }
      case LSTM -> {
        double in = sigmoid(a[0][i]);
        double forget = sigmoid(a[1][i]);
        double candidate = Math.tanh(a[2][i]);
        double out = sigmoid(a[3][i]);
        c[i] = forget * c[i] + in * candidate;
        save(d, t, b, i, in, forget, candidate, out, c[i]);
        h[i] = out * Math.tanh(c[i]);
      }
      case INTERSECTION -> {
        double output = Math.max(a[0][i], 0);
        double candidate = Math.tanh(a[1][i]);
        double outputGate = sigmoid(a[2][i]);
        double stateGate = sigmoid(a[3][i]);
        h[i] = stateGate * h[i] + (1 - stateGate) * candidate;
        save(d, t, b, i, output, candidate, outputGate, stateGate, h[i]);
        double input = skip == null ? 0 : skip.get(e.input(t, b) + i);
        return outputGate * input + (1 - outputGate) * output;
      }
    }
    return h[i];
  }

  private void save(int d, int t, int b, int i, double... values) {
    for (int v = 0; v < values.length; v++) {
      save(d, t, b, v, i, values[v]);
    }
  }

  private void save(int d, int t, int b, int v, int i, double value) {
    if (saved != null) {
      saved.set(e.at(d, t, b, e.saved(), v) + i, value);
    }
  }
}
