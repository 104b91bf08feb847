package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import java.util.function.UnaryOperator;

/// The lectures' four reasons for momentum, as ways of SGD without and with it. It rolls out of a
/// shallow well (x² - 1)² + 0.4 x; it leaves a saddle x² - y² sooner, from a thousandth beside its
/// ridge; along a valley of condition number 100 it is not slow at the rate at which SGD jumps from
/// side to side; and with noise in the gradients its way is smoother. There its rate is a tenth, so
/// that both go equally far in the end: momentum of 0.9 adds ten gradients up.
final class MomentumFigure {
  private static final Optimizer PLAIN = Optimizer.sgd(1);
  private static final Optimizer HEAVY = Optimizer.sgd(1).momentum(0.9);
  private static final double[] RIM = {1.7}; // of the well
  private static final double CONDITION = 100;

  private MomentumFigure() {}

  static Figure of(Device device) {
    try (Scope _ = Scope.open()) {
      return Figure.of(wells(device), saddle(device), valley(device), noise(device));
    }
  }

  static double well(double x) {
    return (x * x - 1) * (x * x - 1) + 0.4 * x;
  }

  /// Both ways are on the curve; that of SGD, which ends sooner, is in front, here as elsewhere.
  private static Panel wells(Device device) {
    UnaryOperator<Tensor> height = p -> p.square().minus(1).square().plus(p.times(0.4)).sum();
    double[] x = new double[181];
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      x[i] = -1.8 + i * 0.02;
      y[i] = well(x[i]);
    }
    return new Panel(
        "A local minimum",
        Axis.linear("x").within(-1.8, 1.8),
        Axis.linear("height").within(-1, 4.5),
        List.of(
            new Curve("", x, y, Curve.Style.CONTOUR),
            onTheCurve("momentum 0.9", Walk.of(HEAVY, 0.01).path(device, height, RIM, 150)),
            onTheCurve("SGD", Walk.of(PLAIN, 0.01).path(device, height, RIM, 150))));
  }

  private static Curve onTheCurve(String name, double[][] path) {
    double[] x = new double[path.length];
    double[] y = new double[path.length];
    for (int i = 0; i < path.length; i++) {
      x[i] = path[i][0];
      y[i] = well(x[i]);
    }
    return new Curve(name, x, y, Curve.Style.PATH);
  }

  private static Panel saddle(Device device) {
    Tensor curvature = Tensor.of(device, new float[] {2, -2}, 2);
    double[] start = {1, 1e-3};
    return inPlane(
        "A saddle",
        device,
        Axis.linear("x, up on both sides").within(-1.1, 1.1),
        Axis.linear("y, down on both sides").within(-1.1, 1.1),
        (x, y) -> x * x - y * y,
        new double[] {-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75},
        quadratic(curvature),
        start,
        Walk.of(PLAIN, 0.02),
        Walk.of(HEAVY, 0.02),
        70);
  }

  private static Panel valley(Device device) {
    Tensor curvature = Tensor.of(device, new float[] {1, (float) CONDITION}, 2);
    double[] levels = new double[9];
    for (int l = 0; l < levels.length; l++) {
      levels[l] = 16 * Math.pow(2, -l);
    }
    return inPlane(
        "Poor conditioning",
        device,
        Axis.linear("x, curvature 1").within(-4.5, 4.5),
        Axis.linear("y, curvature 100").within(-0.6, 0.6),
        (x, y) -> 0.5 * (x * x + CONDITION * y * y),
        levels,
        quadratic(curvature),
        new double[] {-4, 0.4},
        Walk.of(PLAIN, 0.019),
        Walk.of(HEAVY, 0.019),
        40);
  }

  private static Panel noise(Device device) {
    Tensor curvature = Tensor.of(device, new float[] {1, 3}, 2);
    return inPlane(
        "Noise",
        device,
        Axis.linear("x, curvature 1").within(-4.5, 2.5),
        Axis.linear("y, curvature 3").within(-2, 2),
        (x, y) -> 0.5 * (x * x + 3 * y * y),
        new double[] {0.25, 0.5, 1, 2, 4, 8},
        quadratic(curvature),
        new double[] {-4, 1},
        Walk.of(PLAIN, 0.05).noisy(4),
        Walk.of(HEAVY, 0.005).noisy(4),
        80);
  }

  private static UnaryOperator<Tensor> quadratic(Tensor curvature) {
    return p -> p.square().times(curvature).sum().times(0.5);
  }

  private static Panel inPlane(
      String title,
      Device device,
      Axis x,
      Axis y,
      DoubleBinaryOperator height,
      double[] levels,
      UnaryOperator<Tensor> tensors,
      double[] start,
      Walk plain,
      Walk heavy,
      int steps) {
    return new Panel(
        title,
        x,
        y,
        List.of(
            Contours.of(height, x, y, levels),
            heavy.curve(device, "momentum 0.9", tensors, start, steps).within(x, y),
            plain.curve(device, "SGD", tensors, start, steps).within(x, y)));
  }
}
