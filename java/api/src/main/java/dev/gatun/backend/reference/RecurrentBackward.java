package dev.gatun.backend.reference;

import dev.gatun.Cell;
import dev.gatun.backend.reference.Elements.Reals;
import dev.gatun.backend.reference.Recurrent.Extents;
import org.jspecify.annotations.Nullable;

/// The walk back along sequences: gradients are carried from step to step, those of the weights
/// summed.
record RecurrentBackward(
    Extents e,
    Reals dx,
    @Nullable Reals dskip,
    double[] dweights,
    double[] dbias,
    double[] dgain,
    @Nullable Reals dfirst,
    @Nullable Reals dfirstCell,
    @Nullable Reals dy,
    @Nullable Reals dlast,
    @Nullable Reals dlastCell,
    Reals y,
    @Nullable Reals saved,
    @Nullable Reals skip,
    Reals weights,
    @Nullable Reals gain,
    @Nullable Reals first,
    @Nullable Reals firstCell,
    @Nullable Reals mask,
    @Nullable Reals keep)
    implements Runnable {
  @Override
  public void run() {
    for (int i = 0; dskip != null && i < e.steps() * e.batch() * e.units(); i++) {
      dskip.set(i, 0);
    }
    for (int d = 0; d < e.directions(); d++) {
      for (int b = 0; b < e.batch(); b++) {
        walk(d, b);
      }
    }
  }

  private void walk(int d, int b) {
    int units = e.units();
    double[] dh = new double[units];
    double[] dc = new double[units];
    int state = e.state(d, b);
    for (int i = 0; i < units; i++) {
      dh[i] = dlast == null ? 0 : dlast.get(state + i);
      dc[i] = dlastCell == null ? 0 : dlastCell.get(state + i);
    }
    for (int n = e.steps() - 1; n >= 0; n--) {
      step(d, n, b, dh, dc);
    }
    for (int i = 0; i < units; i++) {
      if (dfirst != null) {
        dfirst.set(state + i, dh[i]);
      }
      if (dfirstCell != null) {
        dfirstCell.set(state + i, dc[i]);
      }
    }
  }

  private void step(int d, int n, int b, double[] dh, double[] dc) {
    Cell cell = e.cell();
    int units = e.units();
    int t = e.step(d, n);
    int slopes = e.at(d, t, b, 1, 0);
    for (int i = 0; dy != null && !cell.hasSkip() && i < units; i++) {
      dh[i] += dy.get(slopes + i);
    }
    if (mask != null && mask.get(t * e.batch() + b) == 0) {
      for (int i = 0; i < cell.gates() * units; i++) {
        dx.set(e.at(d, t, b, cell.gates(), 0) + i, 0);
      }
      return;
    }
    double[] h = stateBefore(d, n, b);
    double[] read = h.clone();
    for (int i = 0; keep != null && i < units; i++) {
      read[i] *= keep.get(e.state(d, b) + i);
    }
    double[][] da = new double[cell.gates()][units];
    double[] inside = new double[units];
    for (int i = 0; i < units; i++) {
      unit(d, n, b, i, h[i], da, inside, dh, dc);
    }
    double[] dread = new double[units];
    if (e.normBorder() < cell.gates()) {
      double[][] last = {da[0], da[1], cell == Cell.GRU ? inside : da[2]};
      double[] dproduct = throughNorm(d, t, b, e.normBorder(), cell.gates(), last)[2];
      if (cell == Cell.GRU_RESET_BEFORE) {
        throughReset(d, t, b, read, dproduct, da, dread);
      } else {
        flow(d, 2, dproduct, read, dread);
      }
    }
    double[][] dproducts = throughNorm(d, t, b, 0, e.normBorder(), da);
    for (int gate = e.normBorder() - 1; gate >= 0; gate--) {
      flow(d, gate, dproducts[gate], read, dread);
    }
    for (int i = 0; i < units; i++) {
      dh[i] += keep == null ? dread[i] : dread[i] * keep.get(e.state(d, b) + i);
      dbias[d * units + i] += inside[i];
      for (int gate = 0; gate < cell.gates(); gate++) {
        dx.set(e.at(d, t, b, cell.gates(), gate) + i, da[gate][i]);
      }
    }
  }

  private double[] stateBefore(int d, int n, int b) {
    double[] h = new double[e.units()];
    for (int i = 0; i < h.length; i++) {
      if (n == 0) {
        h[i] = first == null ? 0 : first.get(e.state(d, b) + i);
      } else if (e.cell().hasSkip()) {
        h[i] = saved(d, e.step(d, n - 1), b, RecurrentForward.SAVED_STATE, i);
      } else {
        h[i] = y.get(e.at(d, e.step(d, n - 1), b, 1, 0) + i);
      }
    }
    return h;
  }

  private double cellBefore(int d, int n, int b, int i) {
    if (n > 0) {
      return saved(d, e.step(d, n - 1), b, RecurrentForward.SAVED_STATE, i);
    }
    return firstCell == null ? 0 : firstCell.get(e.state(d, b) + i);
  }

  /// From the gradients of a unit's new states to those of its gates' sums, of what lies inside the
  /// reset gate, and of its states before, as far as they do not go through the weights.
  private void unit(
      int d,
      int n,
      int b,
      int i,
      double h,
      double[][] da,
      double[] inside,
      double[] dh,
      double[] dc) {
    int t = e.step(d, n);
    double state = y.get(e.at(d, t, b, 1, 0) + i);
    switch (e.cell()) {
      case TANH -> {
        da[0][i] = dh[i] * (1 - state * state);
        dh[i] = 0;
      }
      case RELU -> {
        da[0][i] = state > 0 ? dh[i] : 0;
        dh[i] = 0;
      }
      case SIGMOID -> {
        da[0][i] = dh[i] * state * (1 - state);
        dh[i] = 0;
      }
      case UGRNN -> {
        double candidate = saved(d, t, b, 0, i);
        double gate = saved(d, t, b, 1, i);
        da[0][i] = dh[i] * (1 - gate) * (1 - candidate * candidate);
        da[1][i] = dh[i] * (h - candidate) * gate * (1 - gate);
        dh[i] *= gate;
      }
      case GRU, GRU_RESET_BEFORE -> {
        double reset = saved(d, t, b, 0, i);
        double update = saved(d, t, b, 1, i);
        double candidate = saved(d, t, b, 2, i);
        da[2][i] = dh[i] * (1 - update) * (1 - candidate * candidate);
        da[1][i] = dh[i] * (h - candidate) * update * (1 - update);
        if (e.cell() == Cell.GRU) {
          da[0][i] = da[2][i] * saved(d, t, b, 3, i) * reset * (1 - reset);
          inside[i] = da[2][i] * reset;
        }
        dh[i] *= update;
      }
      case LSTM -> {
        double in = saved(d, t, b, 0, i);
        double forget = saved(d, t, b, 1, i);
        double candidate = saved(d, t, b, 2, i);
        double out = saved(d, t, b, 3, i);
        double bent = Math.tanh(saved(d, t, b, RecurrentForward.SAVED_STATE, i));
        da[3][i] = dh[i] * bent * out * (1 - out);
        dc[i] += dh[i] * out * (1 - bent * bent);
        da[0][i] = dc[i] * candidate * in * (1 - in);
        da[1][i] = dc[i] * cellBefore(d, n, b, i) * forget * (1 - forget);
        da[2][i] = dc[i] * in * (1 - candidate * candidate);
        dc[i] *= forget;
        dh[i] = 0;
      }
      case INTERSECTION -> {
        double output = saved(d, t, b, 0, i);
        double candidate = saved(d, t, b, 1, i);
        double outputGate = saved(d, t, b, 2, i);
        double stateGate = saved(d, t, b, 3, i);
        double slope = dy == null ? 0 : dy.get(e.at(d, t, b, 1, 0) + i);
        int input = e.input(t, b) + i;
        da[0][i] = output > 0 ? slope * (1 - outputGate) : 0;
        da[1][i] = dh[i] * (1 - stateGate) * (1 - candidate * candidate);
        da[3][i] = dh[i] * (h - candidate) * stateGate * (1 - stateGate);
        if (skip != null && dskip != null) {
          da[2][i] = slope * (skip.get(input) - output) * outputGate * (1 - outputGate);
          dskip.set(input, dskip.get(input) + slope * outputGate);
        }
        dh[i] *= stateGate;
      }
    }
  }

  /// The gradients of the products of the gates from `begin` to `end`.
  private double[][] throughNorm(int d, int t, int b, int begin, int end, double[][] da) {
    if (gain == null) {
      return da;
    }
    double[][] slopes = new double[end][];
    double[][] products = new double[end][e.units()];
    for (int gate = begin; gate < end; gate++) {
      slopes[gate] = da[gate].clone();
      for (int i = 0; i < e.units(); i++) {
        products[gate][i] = saved(d, t, b, e.cell().saved() + gate, i);
      }
    }
    new RecurrentNorm(e, gain, d, begin, end).backward(slopes, dgain, products);
    return slopes;
  }

  /// The gate before the product of the last gate: its own gradient comes out of that product's.
  private void throughReset(
      int d, int t, int b, double[] read, double[] slopes, double[][] da, double[] dread) {
    double[] gated = new double[read.length];
    for (int i = 0; i < read.length; i++) {
      gated[i] = saved(d, t, b, 0, i) * read[i];
    }
    double[] dgated = new double[read.length];
    flow(d, 2, slopes, gated, dgated);
    for (int i = 0; i < read.length; i++) {
      double reset = saved(d, t, b, 0, i);
      da[0][i] = dgated[i] * read[i] * reset * (1 - reset);
      dread[i] += dgated[i] * reset;
    }
  }

  /// Through the product of a gate with what it read.
  private void flow(int d, int gate, double[] slopes, double[] read, double[] dread) {
    for (int i = 0; i < slopes.length; i++) {
      int row = e.row(d, gate, i);
      for (int k = 0; k < slopes.length; k++) {
        dweights[row + k] += slopes[i] * read[k];
        dread[k] += slopes[i] * weights.get(row + k);
      }
    }
  }

  private double saved(int d, int t, int b, int v, int i) {
    return saved == null ? 0 : saved.get(e.at(d, t, b, e.saved(), v) + i);
  }
}
