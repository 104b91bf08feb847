package dev.gatun.cli.plot;

import dev.gatun.Evaluation;
import dev.gatun.History;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// The curves of a training run: the loss of every batch with its moving average, the learning rate
/// of every step, and loss and accuracy by epoch, in training and in the test. A gap between both
/// is overfitting, none between two that are bad underfitting.
public final class RunFigure {
  private RunFigure() {}

  /// Of a run of an epoch at least.
  public static Figure of(History history) {
    float[] losses = history.losses();
    double[] y = new double[losses.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = losses[i];
    }
    Curve batches = Curve.counted("batch", y);
    return Figure.of(
        new Panel(
            "Loss by step",
            Axis.linear("step"),
            Axis.linear("loss"),
            List.of(batches.as(Curve.Style.CLOUD), batches.averaged("moving average"))),
        new Panel(
            "Learning rate by step",
            Axis.linear("step"),
            Axis.linear("learning rate"),
            List.of(Curve.counted("learning rate", history.learningRates()))),
        new Panel(
            "Loss",
            Axis.linear("epoch"),
            Axis.linear("loss"),
            List.of(
                epochs("training", history, History.Epoch::trainLoss),
                epochs("test", history, epoch -> tested(epoch, Evaluation::loss)))),
        new Panel(
            "Accuracy",
            Axis.linear("epoch"),
            Axis.linear("share of right answers").within(0, 1),
            List.of(
                epochs("training", history, History.Epoch::trainAccuracy),
                epochs("test", history, epoch -> tested(epoch, Evaluation::accuracy)))));
  }

  private static Curve epochs(
      String name, History history, ToDoubleFunction<History.Epoch> figure) {
    return Curve.counted(name, history.epochs().stream().mapToDouble(figure).toArray())
        .as(Curve.Style.PATH);
  }

  private static double tested(History.Epoch epoch, ToDoubleFunction<Evaluation> figure) {
    Evaluation test = epoch.test();
    return test == null ? Double.NaN : figure.applyAsDouble(test);
  }
}
