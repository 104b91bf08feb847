package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.Optimizer;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;

/// The training loss after some steps, by depth. Nets of sigmoids learn when they are shallow, or
/// have batch norm. Nets of ReLUs with batch norm get worse with depth unless their layers, in
/// pairs, are branches beside a shortcut (He et al. 2015).
final class DepthFigure {
  private static final int STEPS = 300;
  private static final int LAST = 50; // steps whose mean is shown
  private static final int WIDTH = 24;
  private static final int[] SIGMOIDS = {1, 2, 4, 8, 16, 30};
  private static final int[] RELUS = {4, 12, 28, 56};

  private DepthFigure() {}

  static Figure of(Device device, long seed) {
    Clusters train = Clusters.draw(800, 0.45, seed);
    Optimizer adam = Optimizer.adam(1);
    Optimizer momentum = Optimizer.sgd(1).momentum(0.9);
    Axis layers = Axis.linear("layers");
    Axis loss = Axis.linear("training loss");
    return Figure.of(
        new Panel(
            "Sigmoids",
            layers,
            loss,
            List.of(
                losses(
                    "without",
                    SIGMOIDS,
                    n -> train.losses(device, sigmoids(n, false), adam, s -> 0.005, STEPS, seed)),
                losses(
                    "with batch norm",
                    SIGMOIDS,
                    n -> train.losses(device, sigmoids(n, true), adam, s -> 0.005, STEPS, seed)))),
        new Panel(
            "ReLU and batch norm",
            layers,
            loss,
            List.of(
                losses(
                    "plain",
                    RELUS,
                    n ->
                        train.losses(
                            device, relus(n, false), momentum, DepthFigure::cosine, STEPS, seed)),
                losses(
                    "residual",
                    RELUS,
                    n ->
                        train.losses(
                            device, relus(n, true), momentum, DepthFigure::cosine, STEPS, seed)))));
  }

  private static double cosine(int step) {
    return 0.01 * (1 + Math.cos(Math.PI * step / STEPS));
  }

  private static Curve losses(String name, int[] depths, IntFunction<double[]> losses) {
    double[] x = new double[depths.length];
    double[] y = new double[depths.length];
    for (int i = 0; i < depths.length; i++) {
      x[i] = depths[i];
      y[i] = Arrays.stream(losses.apply(depths[i])).skip(STEPS - LAST).average().orElseThrow();
    }
    return new Curve(name, x, y, Curve.Style.PATH);
  }

  private static Net sigmoids(int layers, boolean normalised) {
    Net net = Net.input(Clusters.FEATURES);
    for (int l = 0; l < layers; l++) {
      net = net.dense(new Dense(WIDTH).initializer(Initializer.glorotNormal()));
      net = (normalised ? net.batchNorm() : net).sigmoid();
    }
    return net.dense(Clusters.CLASSES);
  }

  private static Net relus(int layers, boolean residual) {
    BatchNorm last = new BatchNorm().initialWeight(residual ? 0 : 1); // branches begin at 0
    UnaryOperator<Net> pair =
        net -> net.dense(WIDTH).batchNorm().relu().dense(WIDTH).batchNorm(last);
    Net net = Net.input(Clusters.FEATURES).dense(WIDTH).batchNorm().relu();
    for (int l = 0; l < layers / 2; l++) {
      net = (residual ? net.residual(pair) : pair.apply(net)).relu();
    }
    return net.dense(Clusters.CLASSES);
  }
}
