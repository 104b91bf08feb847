package dev.gatun.cli.plot;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import java.util.ArrayList;
import java.util.List;

/// What the scale of initial weights does to six layers of ReLUs: the deviation of their signals
/// and of the gradients by these, by layer, and the loss by step. Weights have Kaiming's deviation,
/// √(2 / width), times the scale; with all of them 0 nothing is ever learned.
final class InitializationFigure {
  private static final int LAYERS = 6;
  private static final int WIDTH = 128;
  private static final int ROWS = 64;
  private static final int STEPS = 150;
  private static final double[] SCALES = {0.5, 0.75, 1, 1.5, 2};

  private InitializationFigure() {}

  static Figure of(Device device, long seed) {
    Clusters train = Clusters.draw(800, 0.6, seed);
    List<Curve> signals = new ArrayList<>();
    List<Curve> gradients = new ArrayList<>();
    List<Curve> losses = new ArrayList<>();
    for (double scale : SCALES) {
      String name = "scale " + scale;
      addDeviations(device, name, scale, seed, signals, gradients);
      losses.add(losses(device, name, Initializer.kaimingNormal().times(scale), train, seed));
    }
    losses.add(losses(device, "zeros", Initializer.zeros(), train, seed));
    Axis layer = Axis.linear("layer");
    return Figure.of(
        new Panel("Deviation of signals", layer, Axis.logarithmic("deviation"), signals),
        new Panel("Deviation of gradients", layer, Axis.logarithmic("deviation"), gradients),
        new Panel(
            "Training", Axis.linear("step"), Axis.logarithmic("loss").within(0.01, 1000), losses));
  }

  private static void addDeviations(
      Device device,
      String name,
      double scale,
      long seed,
      List<Curve> signals,
      List<Curve> gradients) {
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, seed, ROWS, WIDTH);
      Tensor above = Tensor.randn(device, seed + 1, ROWS, WIDTH).times(1.0 / ROWS);
      Tensor[] weights = new Tensor[LAYERS];
      Tensor[] nothing = new Tensor[LAYERS]; // added to the signals, to have their gradients
      for (int l = 0; l < LAYERS; l++) {
        nothing[l] = Tensor.zeros(device, DType.F32, ROWS, WIDTH);
        weights[l] =
            Tensor.randn(device, seed + 2 + l, WIDTH, WIDTH).times(scale * Math.sqrt(2.0 / WIDTH));
      }
      double[] outputs = new double[LAYERS];
      Tensor h = x;
      for (int l = 0; l < LAYERS; l++) {
        h = h.matmul(weights[l]).relu();
        outputs[l] = deviation(h);
      }
      List<Tensor> slopes =
          Functions.grad(
                  in -> {
                    Tensor y = x;
                    for (int l = 0; l < LAYERS; l++) {
                      y = y.matmul(weights[l]).relu().plus(in[l]);
                    }
                    return y.times(above).sum();
                  })
              .apply(nothing);
      signals.add(Curve.counted(name, outputs).as(Curve.Style.PATH));
      gradients.add(
          Curve.counted(
                  name, slopes.stream().mapToDouble(InitializationFigure::deviation).toArray())
              .as(Curve.Style.PATH));
    }
  }

  private static double deviation(Tensor x) {
    double mean = x.mean().item();
    return Math.sqrt(x.square().mean().item() - mean * mean);
  }

  private static Curve losses(
      Device device, String name, Initializer weights, Clusters train, long seed) {
    Net net = Net.input(Clusters.FEATURES);
    for (int l = 0; l < LAYERS; l++) {
      net = net.dense(new Dense(WIDTH).initializer(weights)).relu();
    }
    net = net.dense(new Dense(Clusters.CLASSES).initializer(weights));
    return Curve.counted(
        name, train.losses(device, net, Optimizer.sgd(1), step -> 0.02, STEPS, seed));
  }
}
