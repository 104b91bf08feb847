package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;

/// The greatest element and the mean of windows.
final class Pooling {
  /// Taps are stored in a byte.
  private static final int MAX_TAPS = 255;

  private Pooling() {}

  static Instruction max(View yView, View tapsView, View xView, Window window) {
    Operands operands = new Operands("max_pool");
    Operand y = operands.output("y", yView);
    Operand taps = operands.output("taps", tapsView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    Geometry g = geometry(operands, x, y, window);
    requireTaps(operands, taps, y, window);
    return operands.instruction(() -> max(y.reals(), taps.integers(), x.reals(), g));
  }

  private static void max(Reals y, Integers taps, Reals x, Geometry g) {
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      for (int p = 0; p < g.p(); p++) {
        for (int q = 0; q < g.q(); q++) {
          int top = g.top(p);
          int left = g.left(q);
          for (int c = 0; c < g.c(); c++, yi++) {
            double best = Double.NEGATIVE_INFINITY;
            int tap = g.firstRow(top) * g.window().width() + g.firstColumn(left);
            for (int r = g.firstRow(top); r < g.endRow(top); r++) {
              for (int s = g.firstColumn(left); s < g.endColumn(left); s++) {
                double value = x.get(((n * g.h() + top + r) * g.w() + left + s) * g.c() + c);
                if (Reductions.beats(value, best)) {
                  best = value;
                  tap = r * g.window().width() + s;
                }
              }
            }
            y.set(yi, best);
            taps.setInteger(yi, tap);
          }
        }
      }
    }
  }

  static Instruction maxBackward(View dxView, View dyView, View tapsView, Window window) {
    Operands operands = new Operands("max_pool_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dy = operands.input("dy", dyView);
    Operand taps = operands.input("taps", tapsView);
    operands.requireFloating(dx, dy);
    Geometry g = geometry(operands, dx, dy, window);
    requireTaps(operands, taps, dy, window);
    double[] picture = picture(operands, dx, g);
    return operands.instruction(
        () -> maxBackward(dx.reals(), dy.reals(), taps.integers(), g, picture));
  }

  private static void maxBackward(Reals dx, Reals dy, Integers taps, Geometry g, double[] picture) {
    int width = g.window().width();
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      Arrays.fill(picture, 0);
      for (int p = 0; p < g.p(); p++) {
        for (int q = 0; q < g.q(); q++) {
          for (int c = 0; c < g.c(); c++, yi++) {
            int tap = (int) taps.get(yi);
            int h = g.top(p) + tap / width;
            int w = g.left(q) + tap % width;
            // Taps that max_pool cannot have written point nowhere.
            if (tap / width < g.window().height() && h >= 0 && h < g.h() && w >= 0 && w < g.w()) {
              picture[(h * g.w() + w) * g.c() + c] += dy.get(yi);
            }
          }
        }
      }
      store(dx, n, picture);
    }
  }

  static Instruction average(View yView, View xView, Window window, boolean countPadding) {
    Operands operands = new Operands("average_pool");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    Geometry g = geometry(operands, x, y, window);
    return operands.instruction(() -> average(y.reals(), x.reals(), g, countPadding));
  }

  private static void average(Reals y, Reals x, Geometry g, boolean countPadding) {
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      for (int p = 0; p < g.p(); p++) {
        for (int q = 0; q < g.q(); q++) {
          int top = g.top(p);
          int left = g.left(q);
          double counted = counted(g, top, left, countPadding);
          for (int c = 0; c < g.c(); c++) {
            double sum = 0;
            for (int r = g.firstRow(top); r < g.endRow(top); r++) {
              for (int s = g.firstColumn(left); s < g.endColumn(left); s++) {
                sum += x.get(((n * g.h() + top + r) * g.w() + left + s) * g.c() + c);
              }
            }
            y.set(yi++, sum / counted);
          }
        }
      }
    }
  }

  static Instruction averageBackward(
      View dxView, View dyView, Window window, boolean countPadding) {
    Operands operands = new Operands("average_pool_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dy = operands.input("dy", dyView);
    operands.requireFloating(dx, dy);
    Geometry g = geometry(operands, dx, dy, window);
    double[] picture = picture(operands, dx, g);
    return operands.instruction(
        () -> averageBackward(dx.reals(), dy.reals(), g, countPadding, picture));
  }

  private static void averageBackward(
      Reals dx, Reals dy, Geometry g, boolean countPadding, double[] picture) {
    int yi = 0;
    for (int n = 0; n < g.n(); n++) {
      Arrays.fill(picture, 0);
      for (int p = 0; p < g.p(); p++) {
        for (int q = 0; q < g.q(); q++) {
          int top = g.top(p);
          int left = g.left(q);
          double counted = counted(g, top, left, countPadding);
          for (int c = 0; c < g.c(); c++) {
            double share = dy.get(yi++) / counted;
            for (int r = g.firstRow(top); r < g.endRow(top); r++) {
              for (int s = g.firstColumn(left); s < g.endColumn(left); s++) {
                picture[((top + r) * g.w() + left + s) * g.c() + c] += share;
              }
            }
          }
        }
      }
      store(dx, n, picture);
    }
  }

  /// How many elements of the window the mean is taken over.
  private static double counted(Geometry g, int top, int left, boolean countPadding) {
    if (countPadding) {
      return (double) g.window().height() * g.window().width();
    }
    return (double) (g.endRow(top) - g.firstRow(top)) * (g.endColumn(left) - g.firstColumn(left));
  }

  /// One picture of dx while it is summed.
  private static double[] picture(Operands operands, Operand dx, Geometry g) {
    return operands.scratch(dx.count() == 0 ? 0 : g.h() * g.w() * g.c());
  }

  private static void store(Reals dx, int n, double[] picture) {
    for (int i = 0; i < picture.length; i++) {
      dx.set(n * picture.length + i, picture[i]);
    }
  }

  /// Checks x [N,H,W,C] and y [N,P,Q,C] against each other and the window, no window lying in the
  /// padding alone.
  private static Geometry geometry(Operands operands, Operand x, Operand y, Window window) {
    operands.require(
        window.isPlain(),
        () ->
            "pooling has neither dilation nor groups, but the window is %s with %d groups"
                .formatted(window.size(), window.groups()));
    operands.require(
        Math.max(window.padTop(), window.padBottom()) < window.height()
            && Math.max(window.padLeft(), window.padRight()) < window.width(),
        () ->
            "padding must be less than the window %s, but is %s"
                .formatted(window.size(), window.padding()));
    x.requireRank(4);
    if (x.dim(1) == 0 || x.dim(2) == 0) {
      throw operands.refusal("%s has no pixels: %s".formatted(x.name(), x.view()));
    }
    return Geometry.of(operands, x, window, y, x.dim(3));
  }

  private static void requireTaps(Operands operands, Operand taps, Operand y, Window window) {
    taps.requireDtype(DType.U8);
    operands.requireShapeOf(y, taps);
    operands.require(
        (long) window.height() * window.width() <= MAX_TAPS,
        () ->
            "the window may have at most %d elements, but is %dx%d"
                .formatted(MAX_TAPS, window.height(), window.width()));
  }
}
