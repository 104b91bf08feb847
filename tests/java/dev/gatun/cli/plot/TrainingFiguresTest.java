package dev.gatun.cli.plot;

import static dev.gatun.cli.plot.Figures.curve;
import static dev.gatun.cli.plot.Figures.last;
import static dev.gatun.cli.plot.Figures.mean;
import static dev.gatun.cli.plot.Figures.names;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.DrawnCharacters;
import dev.gatun.data.Split;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Figures of trainings show what the trainings gave, and that what the lectures say.
class TrainingFiguresTest {
  private static final double GUESS = Math.log(4);

  /// Signals of ReLUs with weights s times as large are s times as large in the first layer, s² in
  /// the second, and so on; gradients on their way back likewise. Kaiming's scale keeps them.
  @Test
  void initialization_multipliesByItsScaleInEveryLayer() {
    Figure figure = Figures.of(Plot.initialization);
    double[] signals = curve(figure, "Deviation of signals", "scale 1.0").y();
    double[] gradients = curve(figure, "Deviation of gradients", "scale 1.0").y();
    assertEquals(Math.sqrt(1 - 1 / Math.PI), signals[0], 0.03);
    assertEquals(1, signals[5] / signals[0], 0.4);
    for (double scale : new double[] {0.5, 0.75, 1.5, 2}) {
      double[] scaled = curve(figure, "Deviation of signals", "scale " + scale).y();
      double[] back = curve(figure, "Deviation of gradients", "scale " + scale).y();
      for (int l = 0; l < 6; l++) {
        assertEquals(1, scaled[l] / (Math.pow(scale, l + 1) * signals[l]), 1e-3, "layer " + l);
        assertEquals(1, back[l] / (Math.pow(scale, 5 - l) * gradients[l]), 1e-3, "layer " + l);
      }
    }
    Curve zeros = curve(figure, "Training", "zeros");
    Curve right = curve(figure, "Training", "scale 1.0");
    Curve small = curve(figure, "Training", "scale 0.5");
    Curve large = curve(figure, "Training", "scale 2.0");
    assertEquals(GUESS, mean(zeros, 100, 150), 0.05);
    assertEquals(GUESS, mean(small, 100, 150), 0.05);
    assertTrue(mean(right, 100, 150) < GUESS / 2, "" + mean(right, 100, 150));
    assertTrue(Double.isNaN(last(large)), "exploded: " + last(large));
  }

  @Test
  void depth_needsBatchNormAndShortcuts() {
    Figure figure = Figures.of(Plot.depth);
    double[] without = curve(figure, "Sigmoids", "without").y();
    double[] with = curve(figure, "Sigmoids", "with batch norm").y();
    String sigmoids = List.of(boxed(without), boxed(with)).toString();
    assertTrue(without[0] < GUESS / 2, sigmoids);
    assertEquals(GUESS, without[5], 0.1, sigmoids);
    assertTrue(with[5] < 0.8 * GUESS, sigmoids);
    double[] plain = curve(figure, "ReLU and batch norm", "plain").y();
    double[] residual = curve(figure, "ReLU and batch norm", "residual").y();
    String relus = List.of(boxed(plain), boxed(residual)).toString();
    assertTrue(plain[3] > 1.5 * plain[1], relus);
    assertTrue(residual[3] < residual[1] && 2 * residual[3] < plain[3], relus);
  }

  private static List<Double> boxed(double[] values) {
    return Arrays.stream(values).boxed().toList();
  }

  @Test
  void rates_areLowGoodOrTooHigh_andDropTheLoss() {
    Figure figure = Figures.of(Plot.rates);
    double[] end = new double[4];
    String[] rates = {"rate 0.001", "rate 0.03", "rate 0.3", "rate 3.0"};
    for (int k = 0; k < 4; k++) {
      end[k] = mean(curve(figure, "Rates", rates[k]), 150, 200);
    }
    String ends = boxed(end).toString();
    assertTrue(end[0] > 1.5 * end[1] && end[1] > end[2], ends);
    assertTrue(!(end[3] < GUESS / 2), ends);
    Curve batches = curve(figure, "A rate divided by ten", "batch");
    assertTrue(mean(batches, 700, 800) < 0.8 * mean(batches, 300, 600));
    double[] average = curve(figure, "A rate divided by ten", "moving average").y();
    for (int i = 0; i < average.length; i += 33) {
      double sum = 0;
      double counts = 0;
      for (int j = 0; j <= i; j++) {
        sum += Math.pow(0.95, i - j) * batches.y()[j];
        counts += Math.pow(0.95, i - j);
      }
      assertEquals(sum / counts, average[i], 1e-9);
    }
  }

  /// Every optimizer's cost falls; one of them, trained here again, has the same.
  @Test
  void costs_areTheMeansOfEachEpochsLosses() {
    Figure figure = Figures.of(Plot.costs);
    String panel = "Training cost";
    assertEquals(
        List.of("SGD", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "Lion"),
        names(figure, panel));
    for (String name : names(figure, panel)) {
      double[] cost = curve(figure, panel, name).y();
      assertTrue(
          cost[0] < 1.2 * Math.log(36) && cost[11] < 0.8 * cost[0], name + Arrays.toString(cost));
    }
    Dataset train = DrawnCharacters.make(1, 1800, 1).train();
    Net net = Net.input(32, 32, 3).averagePool(4).flatten().dense(64).relu().dense(64).relu();
    try (Trainer trainer =
        Trainer.of(net.dense(36)).on(Backends.CPU.device()).optimizer(Optimizer.adam(0.003))) {
      float[] losses = trainer.fit(train.batch(60), Span.epochs(3)).losses();
      for (int epoch = 0; epoch < 3; epoch++) {
        double mean = 0;
        for (int i = 0; i < 30; i++) {
          mean += losses[30 * epoch + i] / 30;
        }
        assertEquals(mean, curve(figure, panel, "Adam").y()[epoch], 1e-6);
      }
    }
  }

  @Test
  void aRun_isItsHistory() {
    Split split = DrawnCharacters.make(1, 60, 40);
    Net net = Net.input(32, 32, 3).averagePool(4).flatten().dense(36);
    try (Trainer trainer = Trainer.of(net).on(Backends.REFERENCE.device())) {
      History history =
          trainer.fit(split.train().batch(20), split.test().batch(20), Span.epochs(3));
      Figure figure = RunFigure.of(history);
      double[] losses = curve(figure, "Loss by step", "batch").y();
      assertEquals(9, losses.length);
      for (int i = 0; i < 9; i++) {
        assertEquals(history.losses()[i], losses[i]);
      }
      assertArrayEquals(
          history.learningRates(), curve(figure, "Learning rate by step", "learning rate").y());
      for (History.Epoch epoch : history.epochs()) {
        int i = epoch.number() - 1;
        Evaluation test = Objects.requireNonNull(epoch.test());
        assertEquals(epoch.number(), curve(figure, "Loss", "test").x()[i]);
        assertEquals(epoch.trainLoss(), curve(figure, "Loss", "training").y()[i]);
        assertEquals(test.loss(), curve(figure, "Loss", "test").y()[i]);
        assertEquals(epoch.trainAccuracy(), curve(figure, "Accuracy", "training").y()[i]);
        assertEquals(test.accuracy(), curve(figure, "Accuracy", "test").y()[i]);
      }
      assertEquals(3, history.epochs().size());
      assertArrayEquals(new double[] {1, 2, 3}, curve(figure, "Accuracy", "training").x());
      assertEquals(history.epochs().getLast().trainLoss(), last(curve(figure, "Loss", "training")));
    }
  }
}
