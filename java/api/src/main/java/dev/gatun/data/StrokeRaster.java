package dev.gatun.data;

import java.util.Arrays;

/// Draws strokes with a pen, anti-aliased, as the distance of every pixel to the edge of the ink.
///
/// The pen is an oval: lines along its long axis come out thin, as with a broad nib. Only
/// arithmetic that is the same on every machine is used.
final class StrokeRaster {
  /// How a stroke ends where no other joins it.
  enum Cap {
    ROUND,
    SQUARE,
    BUTT
  }

  private static final float FAR = 1e9f;

  private final int height;
  private final int width;
  private final float[] distance; // of pixel centres to the edge, in pixels, negative inside

  // From pixels to a space where the pen is a circle: turned, then stretched across the thin side.
  private double penXx = 1;
  private double penXy;
  private double penYx;
  private double penYy = 1;
  private double radius = 1;
  private double reach = 1; // of the ink around a stroke, in pixels

  StrokeRaster(int height, int width) {
    this.height = height;
    this.width = width;
    this.distance = new float[height * width];
    clear();
  }

  void clear() {
    Arrays.fill(distance, FAR);
  }

  /// Takes a pen `2 * radius` pixels long and `ratio` times that wide, its long side turned by the
  /// angle whose cosine and sine are given.
  void pen(double radius, double ratio, double cosine, double sine) {
    this.radius = radius;
    this.reach = radius + 2;
    penXx = cosine;
    penXy = sine;
    penYx = -sine / ratio;
    penYy = cosine / ratio;
  }

  /// Draws from `(x[i], y[i])` to the next point, for `i` in `[first, last)`. A path that returns
  /// to its beginning has no ends.
  void path(double[] x, double[] y, int first, int last, Cap cap) {
    boolean closed = x[first] == x[last] && y[first] == y[last];
    for (int i = first; i < last; i++) {
      boolean openStart = !closed && i == first;
      boolean openEnd = !closed && i == last - 1;
      segment(
          x[i], y[i], x[i + 1], y[i + 1], openStart ? cap : Cap.ROUND, openEnd ? cap : Cap.ROUND);
    }
  }

  private void segment(double x0, double y0, double x1, double y1, Cap startCap, Cap endCap) {
    int left = (int) Math.max(0, Math.floor(Math.min(x0, x1) - reach));
    int right = (int) Math.min(width - 1, Math.ceil(Math.max(x0, x1) + reach));
    int top = (int) Math.max(0, Math.floor(Math.min(y0, y1) - reach));
    int bottom = (int) Math.min(height - 1, Math.ceil(Math.max(y0, y1) + reach));
    double ax = penXx * x0 + penXy * y0;
    double ay = penYx * x0 + penYy * y0;
    double dx = penXx * x1 + penXy * y1 - ax;
    double dy = penYx * x1 + penYy * y1 - ay;
    double length = Math.sqrt(dx * dx + dy * dy);
    if (length > 0) {
      dx /= length;
      dy /= length;
    } else {
      dx = 1;
    }
    for (int row = top; row <= bottom; row++) {
      for (int column = left; column <= right; column++) {
        double px = penXx * (column + 0.5) + penXy * (row + 0.5) - ax;
        double py = penYx * (column + 0.5) + penYy * (row + 0.5) - ay;
        double along = px * dx + py * dy;
        double across = px * -dy + py * dx;
        double past = along < 0 ? along : Math.max(0, along - length); // signed, 0 beside the line
        double beyond = Math.abs(past);
        Cap cap = past < 0 ? startCap : endCap;
        double far;
        double ux = dx * past - dy * across; // from the nearest point of the line to the pixel
        double uy = dy * past + dx * across;
        if (beyond == 0 || cap == Cap.ROUND) {
          far = Math.sqrt(ux * ux + uy * uy);
        } else {
          double end = cap == Cap.BUTT ? beyond + radius : beyond;
          far = Math.max(Math.abs(across), end);
          if (end > Math.abs(across)) {
            ux = dx;
            uy = dy;
          } else {
            ux = -dy;
            uy = dx;
          }
        }
        // How fast the distance grows from pixel to pixel: 1 along the pen, more across it.
        double gx = penXx * ux + penYx * uy;
        double gy = penXy * ux + penYy * uy;
        double norm = Math.sqrt(ux * ux + uy * uy);
        double growth = norm > 0 ? Math.sqrt(gx * gx + gy * gy) / norm : 1;
        float edge = (float) ((far - radius) / growth);
        int pixel = row * width + column;
        distance[pixel] = Math.min(distance[pixel], edge);
      }
    }
  }

  /// The part of pixel `pixel`, 0 to 1, that ink covers which is `grown` pixels wider than drawn on
  /// every side, with edges `softness` pixels wide.
  float coverage(int pixel, float grown, float softness) {
    return Math.clamp(0.5f + (grown - distance[pixel]) / softness, 0f, 1f);
  }
}
