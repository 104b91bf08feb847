package dev.gatun.backend.reference;

import dev.gatun.backend.Window;

/// How windows lie on pictures x [N,H,W,C], one for each pixel of [N,P,Q,...]. Window (p, q) covers
/// the rows `top(p) + r` and columns `left(q) + s` of the picture; those outside it are padding.
record Geometry(int n, int h, int w, int c, int p, int q, Window window) {
  /// Checks that the windows fit and that `y` is [N,P,Q,`channels`].
  static Geometry of(Operands operands, Operand x, Window window, Operand y, int channels) {
    x.requireRank(4);
    y.requireRank(4);
    long p = window.outputHeight(x.dim(1));
    long q = window.outputWidth(x.dim(2));
    if (p < 1 || q < 1) {
      throw operands.refusal(
          "the window %dx%d does not fit into %s with padding %dx%d: %s is %s"
              .formatted(
                  window.height(),
                  window.width(),
                  x.dim(1) + "x" + x.dim(2),
                  window.padHeight(),
                  window.padWidth(),
                  x.name(),
                  x.view()));
    }
    y.requireShape(x.dim(0), p, q, channels);
    return new Geometry(x.dim(0), x.dim(1), x.dim(2), x.dim(3), (int) p, (int) q, window);
  }

  int top(int p) {
    return p * window.strideHeight() - window.padHeight();
  }

  int left(int q) {
    return q * window.strideWidth() - window.padWidth();
  }

  /// The first row of the window that lies inside the picture.
  int firstRow(int top) {
    return Math.max(0, -top);
  }

  /// The end (exclusive) of the window's rows that lie inside the picture.
  int endRow(int top) {
    return Math.min(window.height(), h - top);
  }

  int firstColumn(int left) {
    return Math.max(0, -left);
  }

  int endColumn(int left) {
    return Math.min(window.width(), w - left);
  }
}
