package dev.gatun.cli.plot;

import dev.gatun.Clipping;
import dev.gatun.Device;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import java.util.List;

/// The cliff of Pascanu, Mikolov and Bengio (2013): a recurrent network with one number for its
/// state, x' = w σ(x) + b from ½, is to end at σ(x) = 0.7 after 50 steps. Where its fixed points
/// meet, the loss has a wall, and a valley leads along it. A step from the wall, with a gradient as
/// steep as that is, throws gradient descent out of the picture to where all is flat; clipped to a
/// norm of 0.05 it goes on along the wall. The other panel has the losses of both.
final class CliffFigure {
  static final int LENGTH = 50; // of the sequence
  static final double GOAL = 0.7;
  static final double[] START = {5, -2.2};

  private static final int STEPS = 40;
  private static final double RATE = 2;
  private static final double CLIPPED = 0.05;

  private CliffFigure() {}

  static Figure of(Device device) {
    Axis w = Axis.linear("w").within(4, 5.2);
    Axis b = Axis.linear("b").within(-2.8, -1.8);
    Walk plain = Walk.of(Optimizer.sgd(1), RATE);
    try (Scope _ = Scope.open()) {
      Tensor first = Tensor.of(device, new float[] {1, 0}, 2);
      Tensor second = Tensor.of(device, new float[] {0, 1}, 2);
      Curve thrown =
          plain.curve(device, "gradient descent", p -> loss(p, first, second), START, STEPS);
      Curve clipped =
          plain
              .clipped(Clipping.byNorm(CLIPPED))
              .curve(device, "clipped", p -> loss(p, first, second), START, STEPS);
      return Figure.of(
          new Panel(
              "Ways over the loss",
              w,
              b,
              List.of(
                  Contours.of(
                      CliffFigure::loss,
                      w,
                      b,
                      0.005,
                      0.01,
                      0.02,
                      0.03,
                      0.04,
                      0.05,
                      0.1,
                      0.15,
                      0.2,
                      0.25,
                      0.3,
                      0.32,
                      0.34,
                      0.36),
                  thrown.within(w, b),
                  clipped.within(w, b))),
          new Panel(
              "Losses",
              Axis.linear("step"),
              Axis.linear("loss"),
              List.of(losses(thrown), losses(clipped))));
    }
  }

  private static Curve losses(Curve way) {
    double[] step = new double[way.x().length];
    double[] loss = new double[step.length];
    for (int i = 0; i < step.length; i++) {
      step[i] = i;
      loss[i] = loss(way.x()[i], way.y()[i]);
    }
    return new Curve(way.name(), step, loss, Curve.Style.PATH);
  }

  static double loss(double w, double b) {
    double x = 0.5;
    for (int t = 0; t < LENGTH; t++) {
      x = w / (1 + Math.exp(-x)) + b;
    }
    double miss = 1 / (1 + Math.exp(-x)) - GOAL;
    return miss * miss;
  }

  /// The same for a point `[2]`, of which `first` and `second` take one number each.
  private static Tensor loss(Tensor p, Tensor first, Tensor second) {
    Tensor w = p.times(first).sum();
    Tensor b = p.times(second).sum();
    Tensor x = w.times(0).plus(0.5);
    for (int t = 0; t < LENGTH; t++) {
      x = w.times(x.sigmoid()).plus(b);
    }
    return x.sigmoid().minus(GOAL).square();
  }
}
