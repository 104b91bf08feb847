package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/// The training loss after some steps of ten layers of ReLUs, by the scale of their initial weights
/// (Kaiming's times this), without norms and with batch, layer and group norm in front of each
/// ReLU. Without, one scale is right, and half of it or twice as much is not. Norms bear all that
/// are too large. Behind a norm a scale s is a rate of 1 / s² , so that of an eighth is 64 times
/// the rate of all these runs: batch norm bears that too, the others do not.
final class NormFigure {
  static final double[] SCALES = {0.125, 0.25, 0.5, 1, 2, 4, 8};

  private static final int LAYERS = 10;
  private static final int WIDTH = 32;
  private static final int GROUPS = 4;
  private static final int STEPS = 200;
  private static final int LAST = 40; // steps whose mean is shown

  private NormFigure() {}

  static Figure of(Device device, long seed) {
    Clusters train = Clusters.draw(800, 0.6, seed);
    return Figure.of(
        new Panel(
            "Ten layers, 200 steps",
            Axis.logarithmic("scale of initial weights").within(0.1, 10),
            Axis.linear("training loss").within(0, 2),
            List.of(
                losses(device, "without", net -> net, train, seed),
                losses(device, "batch norm", Net::batchNorm, train, seed),
                losses(device, "layer norm", Net::layerNorm, train, seed),
                losses(device, "group norm", net -> net.groupNorm(GROUPS), train, seed))));
  }

  private static Curve losses(
      Device device, String name, UnaryOperator<Net> norm, Clusters train, long seed) {
    double[] losses = new double[SCALES.length];
    for (int k = 0; k < SCALES.length; k++) {
      Dense dense = new Dense(WIDTH).initializer(Initializer.kaimingNormal().times(SCALES[k]));
      Net net = Net.input(Clusters.FEATURES);
      for (int l = 0; l < LAYERS; l++) {
        net = norm.apply(net.dense(dense)).relu();
      }
      double[] all =
          train.losses(
              device,
              net.dense(Clusters.CLASSES),
              Optimizer.sgd(1).momentum(0.9),
              step -> 0.02,
              STEPS,
              seed);
      losses[k] = Arrays.stream(all).skip(STEPS - LAST).average().orElseThrow();
    }
    return new Curve(name, SCALES, losses, Curve.Style.PATH);
  }
}
