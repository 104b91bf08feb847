package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Optimizer;
import java.util.ArrayList;
import java.util.List;

/// The lectures' animations of optimizers in a [Valley], as paths over contour lines: gradient
/// descent at four rates, the last above the greatest that is stable (2 / κ = 0.1); with the noise
/// of minibatches; with momentum; and adaptive rules.
final class ValleyFigure {
  private static final int STEPS = 40;

  private ValleyFigure() {}

  static Figure of(Device device) {
    Optimizer sgd = Optimizer.sgd(1);
    return Figure.of(
        panel(
            "Gradient descent",
            Valley.path(device, "rate 0.01", sgd, 0.01, STEPS, 0),
            Valley.path(device, "rate 0.05", sgd, 0.05, STEPS, 0),
            Valley.path(device, "rate 0.095", sgd, 0.095, STEPS, 0),
            Valley.path(device, "rate 0.101", sgd, 0.101, STEPS, 0)),
        panel(
            "Batch and minibatches",
            Valley.path(device, "batch", sgd, 0.03, 2 * STEPS, 0),
            Valley.path(device, "minibatches", sgd, 0.03, 2 * STEPS, 3)),
        panel(
            "Momentum",
            Valley.path(device, "SGD", sgd, 0.02, STEPS, 0),
            Valley.path(device, "momentum 0.9", Optimizer.sgd(1).momentum(0.9), 0.02, STEPS, 0),
            Valley.path(device, "Nesterov 0.9", Optimizer.sgd(1).nesterov(0.9), 0.02, STEPS, 0)),
        panel(
            "Adaptive rules",
            Valley.path(device, "AdaGrad", Optimizer.adaGrad(1), 0.4, STEPS, 0),
            Valley.path(device, "RMSProp", Optimizer.rmsProp(1).decay(0.9), 0.1, STEPS, 0),
            Valley.path(device, "Adam", Optimizer.adam(1), 0.2, STEPS, 0),
            Valley.path(device, "Lion", Optimizer.lion(1), 0.1, STEPS, 0)));
  }

  private static Panel panel(String title, Curve... paths) {
    List<Curve> curves = new ArrayList<>();
    curves.add(Valley.contours());
    curves.addAll(List.of(paths));
    return new Panel(
        title,
        Axis.linear("x, curvature 1").within(-4.5, 4.5),
        Axis.linear("y, curvature 20").within(-1.5, 1.5),
        curves);
  }
}
