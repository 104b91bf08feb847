package dev.gatun.data;

/// Windows of images at another size, by a triangle filter that grows with the reduction: bilinear
/// interpolation where an image is enlarged, and no aliasing where it is reduced (as Pillow's
/// BILINEAR).
final class Resampling {
  private Resampling() {}

  /// Writes the window of `source` that begins at `(top, left)` and is `high` x `wide` source
  /// pixels large to `target`, as `height` x `width` pixels. Allocates nothing.
  static void window(
      byte[] source,
      ImageShape shape,
      double top,
      double left,
      double high,
      double wide,
      byte[] target,
      int height,
      int width) {
    int channels = shape.channels();
    double stepY = high / height;
    double stepX = wide / width;
    double reachY = Math.max(1, stepY);
    double reachX = Math.max(1, stepX);
    for (int y = 0, to = 0; y < height; y++) {
      double centreY = top + (y + 0.5) * stepY - 0.5;
      int firstY = first(centreY, reachY);
      int lastY = last(centreY, reachY, shape.height());
      for (int x = 0; x < width; x++, to += channels) {
        double centreX = left + (x + 0.5) * stepX - 0.5;
        int firstX = first(centreX, reachX);
        int lastX = last(centreX, reachX, shape.width());
        for (int c = 0; c < channels; c++) {
          double sum = 0;
          double weights = 0;
          for (int i = firstY; i <= lastY; i++) {
            double weightY = 1 - Math.abs(i - centreY) / reachY;
            int row = i * shape.width();
            for (int j = firstX; j <= lastX; j++) {
              double weight = weightY * (1 - Math.abs(j - centreX) / reachX);
              sum += weight * (source[(row + j) * channels + c] & 0xFF);
              weights += weight;
            }
          }
          target[to + c] = (byte) Math.round(sum / weights);
        }
      }
    }
  }

  private static int first(double centre, double reach) {
    return Math.max(0, (int) Math.floor(centre - reach) + 1);
  }

  private static int last(double centre, double reach, int extent) {
    return Math.min(extent - 1, (int) Math.ceil(centre + reach) - 1);
  }
}
