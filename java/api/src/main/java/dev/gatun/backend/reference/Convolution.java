package dev.gatun.backend.reference;

import dev.gatun.ConvAlgorithm;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Convolution (cross-correlation) and its two gradients:
///
///     y[n,p,q,k] += x[n, top(p) + r dilation, left(q) + s dilation, first(k) + c] w[k,r,s,c]
///
/// where filter k sees the channels from first(k) on, those of its group. All three walk the same
/// indices, whatever the algorithm asked for: that is a matter of speed. Without dilation and groups
/// the part of a window's row that lies inside the picture is contiguous in x and in w, so the
/// innermost loop runs over s and c at once.
final class Convolution {
  private Convolution() {}

  static Instruction forward(
      View yView,
      @Nullable View momentsView,
      View xView,
      View wView,
      @Nullable View biasView,
      @Nullable View residualView,
      Window window,
      Activation activation,
      ConvAlgorithm algorithm) {
    Operands operands = new Operands("conv2d");
    Operand y = operands.output("y", yView);
    Operand moments = operands.optionalOutput("moments", momentsView);
    Operand x = operands.input("x", xView);
    Operand w = operands.input("w", wView);
    Operand bias = operands.optionalInput("bias", biasView);
    Operand residual = operands.optionalInput("residual", residualView);
    operands.requireFloating(y, x, w, bias);
    if (moments != null || residual != null) {
      operands.requireReal(y, moments, residual);
    }
    Geometry g = geometry(operands, x, w, y, window, algorithm);
    if (bias != null) {
      bias.requireShape(w.dim(0));
    }
    operands.requireShapeOf(y, residual);
    int filters = w.dim(0);
    double pixels = (double) g.n() * g.p() * g.q();
    if (moments != null) {
      moments.requireShape(2, filters);
      operands.require(
          pixels > 0, () -> "there are no moments of nothing: y is %s".formatted(y.view()));
    }
    Reals biases = Operand.realsOrNull(bias);
    Reals residuals = Operand.realsOrNull(residual);
    double[] means = operands.scratch(moments == null ? 0 : filters);
    double[] variances = operands.scratch(moments == null ? 0 : filters);
    Taps taps = new Taps(g, filters);
    return operands.instruction(
        () -> {
          forward(y.reals(), x.reals(), w.reals(), biases, residuals, taps, activation);
          if (moments != null) {
            BatchNorm.statistics(means, variances, y.reals(), y.count(), pixels);
            for (int k = 0; k < filters; k++) {
              moments.reals().set(k, means[k]);
              moments.reals().set(filters + k, variances[k]);
            }
          }
        });
  }

  private static void forward(
      Reals y, // [N,P,Q,K]
      Reals x, // [N,H,W,C]
      Reals w, // [K,R,S,C/groups]
      @Nullable Reals bias, // [K]
      @Nullable Reals residual, // [N,P,Q,K]
      Taps taps,
      Activation activation) {
    Geometry g = taps.g();
    int filters = taps.filters();
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      for (int p = 0; p < g.p(); p++) {
        int top = g.top(p);
        int firstRow = g.firstRow(top);
        int endRow = g.endRow(top);
        for (int q = 0; q < g.q(); q++) {
          int left = g.left(q);
          int firstColumn = g.firstColumn(left);
          int endColumn = g.endColumn(left);
          int step = taps.step(firstColumn, endColumn);
          int run = step * taps.channels();
          for (int k = 0; k < filters; k++) {
            double sum = bias == null ? 0 : bias.get(k);
            for (int r = firstRow; r < endRow; r++) {
              for (int s = firstColumn; s < endColumn; s += step) {
                int xi = taps.x(n, top, r, left, s, k);
                int wi = taps.w(k, r, s);
                for (int i = 0; i < run; i++) {
                  sum += x.get(xi + i) * w.get(wi + i);
                }
              }
            }
            if (residual != null) {
              sum += residual.get(yi);
            }
            y.set(yi++, Elementwise.activate(activation, sum));
          }
        }
      }
    }
  }

  static Instruction backwardData(
      View dxView,
      @Nullable View sumsView,
      View dyView,
      View wView,
      @Nullable View addendView,
      @Nullable View gateView,
      @Nullable View normXView,
      @Nullable View normMeanView,
      Window window,
      ConvAlgorithm algorithm) {
    Operands operands = new Operands("conv2d_backward_data");
    Operand dx = operands.output("dx", dxView);
    Operand sums = operands.optionalOutput("sums", sumsView);
    Operand dy = operands.input("dy", dyView);
    Operand w = operands.input("w", wView);
    Operand addend = operands.optionalInput("addend", addendView);
    Operand gate = operands.optionalInput("gate", gateView);
    Operand normX = operands.optionalInput("norm_x", normXView);
    Operand normMean = operands.optionalInput("norm_mean", normMeanView);
    operands.requireFloating(dx, dy, w);
    if (sums != null || addend != null || gate != null || normX != null || normMean != null) {
      operands.requireReal(dx, sums, addend, gate, normX, normMean);
    }
    Geometry g = geometry(operands, dx, w, dy, window, algorithm);
    operands.requireShapeOf(dx, addend, gate, normX);
    int channels = dx.dim(3);
    if (sums != null) {
      sums.requireShape(2, channels);
    }
    if (normMean != null) {
      normMean.requireShape(channels);
    }
    boolean summed = sums != null;
    operands.require(
        (normX != null) == summed && (normMean != null) == summed,
        () -> "sums, norm_x and norm_mean must be given together or not at all");
    Reals added = Operand.realsOrNull(addend);
    Reals gated = Operand.realsOrNull(gate);
    double[] picture = operands.scratch(dx.count() == 0 ? 0 : g.h() * g.w() * g.c());
    double[] totals = operands.scratch(sums == null ? 0 : 2 * channels);
    Taps taps = new Taps(g, w.dim(0));
    return operands.instruction(
        () -> {
          backwardData(dx.reals(), dy.reals(), w.reals(), added, gated, taps, picture);
          if (sums != null && normX != null && normMean != null) {
            gradientSums(totals, dx.reals(), normX.reals(), normMean.reals(), dx.count());
            for (int i = 0; i < totals.length; i++) {
              sums.reals().set(i, totals[i]);
            }
          }
        });
  }

  /// Σ dx and Σ dx (x - mean) of each channel.
  private static void gradientSums(double[] totals, Reals dx, Reals x, Reals mean, int count) {
    int channels = totals.length / 2;
    Arrays.fill(totals, 0);
    for (int i = 0; i < count; i += channels) {
      for (int c = 0; c < channels; c++) {
        totals[c] += dx.get(i + c);
        totals[channels + c] += dx.get(i + c) * (x.get(i + c) - mean.get(c));
      }
    }
  }

  private static void backwardData(
      Reals dx, // [N,H,W,C]
      Reals dy, // [N,P,Q,K]
      Reals w, // [K,R,S,C/groups]
      @Nullable Reals addend, // [N,H,W,C]
      @Nullable Reals gate, // [N,H,W,C]
      Taps taps,
      double[] picture) { // one picture of dx while it is summed
    Geometry g = taps.g();
    int filters = taps.filters();
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      Arrays.fill(picture, 0);
      for (int p = 0; p < g.p(); p++) {
        int top = g.top(p);
        int firstRow = g.firstRow(top);
        int endRow = g.endRow(top);
        for (int q = 0; q < g.q(); q++) {
          int left = g.left(q);
          int firstColumn = g.firstColumn(left);
          int endColumn = g.endColumn(left);
          int step = taps.step(firstColumn, endColumn);
          int run = step * taps.channels();
          for (int k = 0; k < filters; k++) {
            double gradient = dy.get(yi++);
            for (int r = firstRow; r < endRow; r++) {
              for (int s = firstColumn; s < endColumn; s += step) {
                int xi = taps.x(0, top, r, left, s, k);
                int wi = taps.w(k, r, s);
                for (int i = 0; i < run; i++) {
                  picture[xi + i] += gradient * w.get(wi + i);
                }
              }
            }
          }
        }
      }
      for (int i = 0; i < picture.length; i++) {
        int xi = n * picture.length + i;
        double sum = picture[i] + (addend == null ? 0 : addend.get(xi));
        dx.set(xi, gate == null || gate.get(xi) > 0 ? sum : 0);
      }
    }
  }

  static Instruction backwardWeights(
      View dwView, View xView, View dyView, Window window, ConvAlgorithm algorithm) {
    Operands operands = new Operands("conv2d_backward_weights");
    Operand dw = operands.output("dw", dwView);
    Operand x = operands.input("x", xView);
    Operand dy = operands.input("dy", dyView);
    operands.requireFloating(x, dy);
    operands.requireWide(x, dw);
    Geometry g = geometry(operands, x, dw, dy, window, algorithm);
    double[] filter = operands.scratch(dw.count() == 0 ? 0 : dw.count() / dw.dim(0));
    Taps taps = new Taps(g, dw.dim(0));
    return operands.instruction(
        () -> backwardWeights(dw.reals(), x.reals(), dy.reals(), taps, filter));
  }

  private static void backwardWeights(
      Reals dw, // [K,R,S,C/groups]
      Reals x, // [N,H,W,C]
      Reals dy, // [N,P,Q,K]
      Taps taps,
      double[] filter) { // one filter of dw while it is summed
    Geometry g = taps.g();
    int filters = taps.filters();
    for (int k = 0; k < filters; k++) {
      Arrays.fill(filter, 0);
      int yi = k;
      for (int n = 0; n < g.n(); n++) {
        for (int p = 0; p < g.p(); p++) {
          int top = g.top(p);
          int firstRow = g.firstRow(top);
          int endRow = g.endRow(top);
          for (int q = 0; q < g.q(); q++, yi += filters) {
            int left = g.left(q);
            int firstColumn = g.firstColumn(left);
            int endColumn = g.endColumn(left);
            int step = taps.step(firstColumn, endColumn);
            int run = step * taps.channels();
            double gradient = dy.get(yi);
            for (int r = firstRow; r < endRow; r++) {
              for (int s = firstColumn; s < endColumn; s += step) {
                int xi = taps.x(n, top, r, left, s, k);
                int wi = taps.w(0, r, s);
                for (int i = 0; i < run; i++) {
                  filter[wi + i] += gradient * x.get(xi + i);
                }
              }
            }
          }
        }
      }
      for (int i = 0; i < filter.length; i++) {
        dw.set(k * filter.length + i, filter[i]);
      }
    }
  }

  /// Where taps lie, and how many neighbouring ones make one run of elements.
  private record Taps(Geometry g, int filters, int channels, int filtersPerGroup) {
    Taps(Geometry g, int filters) {
      this(g, filters, g.c() / g.window().groups(), Math.max(1, filters / g.window().groups()));
    }

    /// The columns of a window's row, of which `[first, end)` lie inside, that are read at once.
    int step(int first, int end) {
      return g.window().isPlain() ? Math.max(1, end - first) : 1;
    }

    /// The first element that filter k sees of tap (r, s).
    int x(int n, int top, int r, int left, int s, int k) {
      int row = n * g.h() + top + r * g.window().dilationHeight();
      int column = left + s * g.window().dilationWidth();
      return (row * g.w() + column) * g.c() + k / filtersPerGroup * channels;
    }

    int w(int k, int r, int s) {
      return ((k * g.window().height() + r) * g.window().width() + s) * channels;
    }
  }

  /// Checks x [N,H,W,C], w [K,R,S,C/groups] and y [N,P,Q,K] against each other and the window.
  private static Geometry geometry(
      Operands operands, Operand x, Operand w, Operand y, Window window, ConvAlgorithm algorithm) {
    x.requireRank(4);
    w.requireRank(4);
    if (w.dim(1) != window.height() || w.dim(2) != window.width()) {
      throw operands.refusal(
          "the window is %dx%d, but %s is %s"
              .formatted(window.height(), window.width(), w.name(), w.view()));
    }
    int groups = window.groups();
    if (x.dim(3) % groups != 0 || w.dim(0) % groups != 0) {
      throw operands.refusal(
          "channels do not divide into %d groups: %s is %s, %s is %s"
              .formatted(groups, x.name(), x.view(), w.name(), w.view()));
    }
    if (w.dim(3) != x.dim(3) / groups) {
      throw operands.refusal(
          "channels differ%s: %s is %s, %s is %s"
              .formatted(
                  groups == 1 ? "" : " (in " + groups + " groups)",
                  x.name(),
                  x.view(),
                  w.name(),
                  w.view()));
    }
    if (algorithm == ConvAlgorithm.WINOGRAD && !window.isPlain()) {
      throw operands.refusal(
          "%s has no form with dilation or groups, but the window is %s with %d groups"
              .formatted(algorithm, window.size(), groups));
    }
    if (!window.allows(algorithm, x.view().dtype())) {
      throw operands.refusal(
          "%s needs f32, a 3x3 window and stride 1, but %s is %s and the stride is %dx%d"
              .formatted(
                  algorithm, w.name(), w.view(), window.strideHeight(), window.strideWidth()));
    }
    return Geometry.of(operands, x, window, y, w.dim(0));
  }
}
