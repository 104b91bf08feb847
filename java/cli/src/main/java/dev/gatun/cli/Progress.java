package dev.gatun.cli;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Watcher;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;

/// Shows a run: a live bar on a terminal, a line now and then elsewhere, and one line for each
/// epoch.
///
/// What is counted are images, or the characters of texts.
final class Progress implements Watcher, AutoCloseable {
  static final long LINE_EVERY_NANOS = Duration.ofSeconds(10).toNanos();

  /// How much a new step changes the loss that is shown.
  private static final double SMOOTHING = 0.05;

  private final Bar bar;
  private final String unit;
  private final int unitsEach;
  private long totalSteps = 1;
  private long stepsDone; // of a run that was resumed
  private int batchSize;
  private long began;
  private long lastLine;
  private double loss = Double.NaN;
  private double accuracy = Double.NaN;

  Progress(PrintWriter out, String unit, int unitsEach) {
    this.bar = new Bar(out);
    this.unit = unit;
    this.unitsEach = unitsEach;
  }

  @Override
  public void start(Start begin) {
    totalSteps = begin.totalSteps();
    stepsDone = begin.stepsDone();
    batchSize = begin.batchSize();
    began = System.nanoTime();
    lastLine = began;
    bar.begin("training", totalSteps);
  }

  @Override
  public void step(Step step) {
    loss = smooth(loss, step.loss());
    accuracy = smooth(accuracy, step.accuracy());
    if (bar.isLive()) {
      bar.show(step.step(), figures(step));
    } else if (System.nanoTime() - lastLine > LINE_EVERY_NANOS) {
      lastLine = System.nanoTime();
      double left = elapsed() / (step.step() - stepsDone) * (totalSteps - step.step());
      bar.line(
          "step %d/%d  %s  %s left".formatted(step.step(), totalSteps, figures(step), time(left)));
    }
  }

  @Override
  public void epoch(History.Epoch epoch) {
    Evaluation test = epoch.test();
    String tested =
        test == null
            ? ""
            : String.format(
                Locale.ROOT, "; test loss %.4f, accuracy %.4f", test.loss(), test.accuracy());
    bar.line(
        String.format(
            Locale.ROOT,
            "epoch %d: train loss %.4f, accuracy %.4f%s; %.1f s",
            epoch.number(),
            epoch.trainLoss(),
            epoch.trainAccuracy(),
            tested,
            epoch.seconds()));
  }

  @Override
  public void rolledBack(History.RollBack rollBack) {
    bar.line(
        String.format(
            Locale.ROOT,
            "step %d: the loss is not finite; back to step %d, learning rate times %s",
            rollBack.from(),
            rollBack.to(),
            rollBack.rate()));
  }

  @Override
  public void end(History history) {
    close();
  }

  @Override
  public void close() {
    bar.close();
  }

  private String figures(Step step) {
    double rate = (step.step() - stepsDone) * batchSize * unitsEach / elapsed();
    return String.format(
        Locale.ROOT, "loss %.4f  accuracy %.3f  %.0f %s/s", loss, accuracy, rate, unit);
  }

  private double elapsed() {
    return Math.max(1e-9, (System.nanoTime() - began) * 1e-9);
  }

  private static double smooth(double old, double now) {
    return Double.isNaN(old) ? now : old + SMOOTHING * (now - old);
  }

  private static String time(double seconds) {
    long whole = Math.round(seconds);
    return String.format(Locale.ROOT, "%d:%02d", whole / 60, whole % 60);
  }
}
