package dev.gatun.cli.plot;

import dev.gatun.Clipping;
import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import java.util.function.UnaryOperator;

/// The way of an optimizer over a landscape: a trainer makes the steps, on a network whose only
/// parameter is the point.
///
/// @param optimizer whose steps they are
/// @param rate of all steps
/// @param clipping of their gradients
/// @param noise the deviation of what is added to each element of a gradient, as by minibatches
record Walk(Optimizer optimizer, double rate, Clipping clipping, double noise) {
  static Walk of(Optimizer optimizer, double rate) {
    return new Walk(optimizer, rate, Clipping.none(), 0);
  }

  Walk clipped(Clipping newClipping) {
    return new Walk(optimizer, rate, newClipping, noise);
  }

  Walk noisy(double newNoise) {
    return new Walk(optimizer, rate, clipping, newNoise);
  }

  /// The points that `steps` steps from `start` visit, `[steps + 1][coordinates]`.
  ///
  /// @param height of a point, a scalar
  double[][] path(Device device, UnaryOperator<Tensor> height, double[] start, int steps) {
    RandomStream random = new RandomStream(1, 0);
    double[][] path = new double[steps + 1][start.length];
    try (Scope _ = Scope.open();
        Trainer trainer =
            Trainer.of(net(height, start.length))
                .on(device)
                .optimizer(optimizer)
                .clip(clipping)
                .loss((outputs, labels) -> outputs.mean())) {
      trainer.model().write("point0.p", floats(start));
      for (int i = 0; ; i++) {
        float[] p = trainer.model().read("point0.p");
        for (int axis = 0; axis < p.length; axis++) {
          path[i][axis] = p[axis];
        }
        if (i == steps) {
          return path;
        }
        double[] disturbance = new double[start.length];
        for (int axis = 0; axis < disturbance.length; axis++) {
          disturbance[axis] = noise * random.nextGaussian();
        }
        trainer.step(floats(disturbance), new int[] {0}, rate);
      }
    }
  }

  /// The same in a plane.
  Curve curve(Device device, String name, UnaryOperator<Tensor> height, double[] start, int steps) {
    double[][] path = path(device, height, start, steps);
    double[] x = new double[path.length];
    double[] y = new double[path.length];
    for (int i = 0; i < path.length; i++) {
      x[i] = path[i][0];
      y[i] = path[i][1];
    }
    return new Curve(name, x, y, Curve.Style.PATH);
  }

  /// Gives the height of its parameter; its input is added to the gradient.
  private static Net net(UnaryOperator<Tensor> height, int coordinates) {
    return Net.input(coordinates)
        .layer(
            "point",
            (context, disturbance) -> {
              Tensor p = context.parameter("p", Initializer.zeros(), coordinates);
              return disturbance.matmul(p.reshape(coordinates, 1)).plus(height.apply(p));
            });
  }

  private static float[] floats(double[] numbers) {
    float[] floats = new float[numbers.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) numbers[i];
    }
    return floats;
  }
}
