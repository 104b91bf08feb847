package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import java.util.Arrays;

/// The valley ½ (x² + κ y²), steeper across than along by the condition number κ, and the ways of
/// optimizers down it: a trainer makes the steps, on a network whose only parameter is the point.
final class Valley {
  static final double CONDITION = 20;
  static final double[] START = {-4, 1};

  private static final int AROUND = 60; // points of a contour
  private static final int LEVELS = 9;

  private Valley() {}

  static double height(double x, double y) {
    return 0.5 * (x * x + CONDITION * y * y);
  }

  /// Ellipses of equal height, each half as high as the next one outside; the greatest goes through
  /// the start.
  static Curve contours() {
    int each = AROUND + 2; // back to where it began, and a gap
    double[] x = new double[LEVELS * each];
    double[] y = new double[x.length];
    Arrays.fill(y, Double.NaN);
    double level = height(START[0], START[1]);
    for (int l = 0; l < LEVELS; l++, level /= 2) {
      for (int i = 0; i <= AROUND; i++) {
        double angle = 2 * Math.PI * i / AROUND;
        x[l * each + i] = Math.sqrt(2 * level) * Math.cos(angle);
        y[l * each + i] = Math.sqrt(2 * level / CONDITION) * Math.sin(angle);
      }
    }
    return new Curve("", x, y, Curve.Style.CONTOUR);
  }

  /// The points that `steps` steps visit.
  ///
  /// @param noise the deviation of what is added to each element of the gradient, as by minibatches
  static Curve path(
      Device device, String name, Optimizer optimizer, double rate, int steps, double noise) {
    try (Scope _ = Scope.open()) {
      Tensor curvature = Tensor.of(device, new float[] {1, (float) CONDITION}, 2);
      return Walk.of(optimizer, rate)
          .noisy(noise)
          .curve(device, name, p -> p.square().times(curvature).sum().times(0.5), START, steps);
    }
  }
}
