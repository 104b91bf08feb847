package dev.gatun.bench;

import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The 3x3 convolution with stride 1 and padding 1 as a Java expert would write it: packed weights,
/// padded pictures, a register block of 8 pixels by one vector of channels with the Vector API, all
/// cores.
final class TunedConv3x3 {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int PIXELS = 8;

  private TunedConv3x3() {}

  /// y `[n, h, w, k]` = x `[n, h, w, c]` * weights `[k, 3, 3, c]`. w must be a multiple of 8, k of
  /// a vector.
  static void convolve(
      float[] y, float[] x, float[] weights, int images, int h, int w, int c, int k) {
    if (w % PIXELS != 0 || k % LANES != 0) {
      throw new IllegalArgumentException(
          "expected multiples of " + PIXELS + " and " + LANES + ", found " + w + " and " + k);
    }
    float[] packed = pack(weights, c, k);
    IntStream.range(0, images)
        .parallel()
        .forEach(
            image -> {
              float[] padded = pad(x, image * h * w * c, h, w, c);
              for (int i = 0; i < h; i++) {
                for (int j = 0; j < w; j += PIXELS) {
                  for (int panel = 0; panel < k / LANES; panel++) {
                    block(
                        y,
                        ((image * h + i) * w + j) * k + panel * LANES,
                        k,
                        padded,
                        (i * (w + 2) + j) * c,
                        c,
                        (w + 2) * c,
                        packed,
                        panel * 9 * c * LANES);
                  }
                }
              }
            });
  }

  /// `[k / lanes][3][3][c][lanes]`.
  private static float[] pack(float[] weights, int c, int k) {
    float[] packed = new float[weights.length];
    for (int panel = 0; panel < k / LANES; panel++) {
      for (int tap = 0; tap < 9 * c; tap++) {
        for (int lane = 0; lane < LANES; lane++) {
          packed[(panel * 9 * c + tap) * LANES + lane] =
              weights[(panel * LANES + lane) * 9 * c + tap];
        }
      }
    }
    return packed;
  }

  private static float[] pad(float[] x, int from, int h, int w, int c) {
    float[] padded = new float[(h + 2) * (w + 2) * c];
    for (int i = 0; i < h; i++) {
      System.arraycopy(x, from + i * w * c, padded, ((i + 1) * (w + 2) + 1) * c, w * c);
    }
    return padded;
  }

  private static void block(
      float[] y, int yAt, int k, float[] x, int xAt, int c, int row, float[] weights, int wAt) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector y0 = zero;
    FloatVector y1 = zero;
    FloatVector y2 = zero;
    FloatVector y3 = zero;
    FloatVector y4 = zero;
    FloatVector y5 = zero;
    FloatVector y6 = zero;
    FloatVector y7 = zero;
    int weight = wAt;
    for (int r = 0; r < 3; r++) {
      int at = xAt + r * row;
      for (int t = 0; t < 3 * c; t++) { // three taps lie side by side
        FloatVector f = FloatVector.fromArray(SPECIES, weights, weight);
        weight += LANES;
        y0 = FloatVector.broadcast(SPECIES, x[at + t]).fma(f, y0);
        y1 = FloatVector.broadcast(SPECIES, x[at + c + t]).fma(f, y1);
        y2 = FloatVector.broadcast(SPECIES, x[at + 2 * c + t]).fma(f, y2);
        y3 = FloatVector.broadcast(SPECIES, x[at + 3 * c + t]).fma(f, y3);
        y4 = FloatVector.broadcast(SPECIES, x[at + 4 * c + t]).fma(f, y4);
        y5 = FloatVector.broadcast(SPECIES, x[at + 5 * c + t]).fma(f, y5);
        y6 = FloatVector.broadcast(SPECIES, x[at + 6 * c + t]).fma(f, y6);
        y7 = FloatVector.broadcast(SPECIES, x[at + 7 * c + t]).fma(f, y7);
      }
    }
    y0.intoArray(y, yAt);
    y1.intoArray(y, yAt + k);
    y2.intoArray(y, yAt + 2 * k);
    y3.intoArray(y, yAt + 3 * k);
    y4.intoArray(y, yAt + 4 * k);
    y5.intoArray(y, yAt + 5 * k);
    y6.intoArray(y, yAt + 6 * k);
    y7.intoArray(y, yAt + 7 * k);
  }
}
