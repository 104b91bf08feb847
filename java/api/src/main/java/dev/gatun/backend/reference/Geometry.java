package dev.gatun.backend.reference;

import dev.gatun.backend.Window;

/// How windows lie on pictures x [N,H,W,C], one for each pixel of [N,P,Q,...]. Window (p, q) covers
/// the rows `top(p) + r dilation` and columns `left(q) + s dilation` of the picture; those outside
/// it are padding.
record Geometry(int n, int h, int w, int c, int p, int q, Window window) {
  /// Checks that the windows fit and that `y` is [N,P,Q,`channels`].
  static Geometry of(Operands operands, Operand x, Window window, Operand y, int channels) {
    x.requireRank(4);
    y.requireRank(4);
    long p = window.outputHeight(x.dim(1));
    long q = window.outputWidth(x.dim(2));
    if (p < 1 || q < 1) {
      throw operands.refusal(
          "the window %s does not fit into %dx%d with padding %s: %s is %s"
              .formatted(window.size(), x.dim(1), x.dim(2), window.padding(), x.name(), x.view()));
    }
    y.requireShape(x.dim(0), p, q, channels);
    return new Geometry(x.dim(0), x.dim(1), x.dim(2), x.dim(3), (int) p, (int) q, window);
  }

  int top(int p) {
    return p * window.strideHeight() - window.padTop();
  }

  int left(int q) {
    return q * window.strideWidth() - window.padLeft();
  }

  /// The first row of the window that lies inside the picture.
  int firstRow(int top) {
    return Math.max(0, Math.ceilDiv(-top, window.dilationHeight()));
  }

  /// The end (exclusive) of the window's rows that lie inside the picture.
  int endRow(int top) {
    return Math.min(window.height(), Math.ceilDiv(h - top, window.dilationHeight()));
  }

  int firstColumn(int left) {
    return Math.max(0, Math.ceilDiv(-left, window.dilationWidth()));
  }

  int endColumn(int left) {
    return Math.min(window.width(), Math.ceilDiv(w - left, window.dilationWidth()));
  }
}
