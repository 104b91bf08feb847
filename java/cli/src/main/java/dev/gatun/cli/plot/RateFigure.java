package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import java.util.ArrayList;
import java.util.List;

/// The lectures' figures of learning rates: losses of the same net at rates that are too low, good,
/// high and too high; and how the loss falls where a rate that is high enough for noise to hold it
/// up is divided by ten.
final class RateFigure {
  private static final double[] RATES = {0.001, 0.03, 0.3, 3};
  private static final int STEPS = 200;
  private static final int DECAYED = 800;
  private static final int DROP = 600;

  private RateFigure() {}

  static Figure of(Device device, long seed) {
    Clusters train = Clusters.draw(800, 0.6, seed);
    List<Curve> losses = new ArrayList<>();
    for (double rate : RATES) {
      losses.add(
          Curve.counted(
              "rate " + rate,
              train.losses(device, plain(), Optimizer.sgd(1), step -> rate, STEPS, seed)));
    }
    return Figure.of(
        new Panel("Rates", Axis.linear("step"), Axis.linear("loss").within(0, 2.5), losses),
        new Panel(
            "A rate divided by ten", Axis.linear("step"), Axis.linear("loss"), drop(device, seed)));
  }

  private static Net plain() {
    return Net.input(Clusters.FEATURES).dense(64).relu().dense(64).relu().dense(Clusters.CLASSES);
  }

  private static List<Curve> drop(Device device, long seed) {
    Net net = Net.input(Clusters.FEATURES);
    for (int l = 0; l < 2; l++) {
      net = net.residual(branch -> branch.dense(Clusters.FEATURES).batchNorm().relu());
    }
    Schedule decay = Schedule.stepDecay(0.1).at(Span.steps(DROP));
    Curve losses =
        Curve.counted(
            "batch",
            Clusters.draw(2000, 0.4, seed)
                .losses(
                    device,
                    net.dense(Clusters.CLASSES),
                    Optimizer.sgd(1).momentum(0.9),
                    step -> 0.8 * decay.factor(new Schedule.Moment(step, DECAYED, DECAYED)),
                    DECAYED,
                    seed));
    return List.of(losses.as(Curve.Style.CLOUD), losses.averaged("moving average"));
  }
}
