package dev.gatun.cli;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Watcher;
import java.io.Console;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/// Shows a run: a live bar on a terminal, a line now and then elsewhere, and one line for each
/// epoch.
///
/// What is counted are images, or the characters of texts.
final class Progress implements Watcher, AutoCloseable {
  private static final long LINE_EVERY_NANOS = Duration.ofSeconds(10).toNanos();

  /// How much a new step changes the loss that is shown.
  private static final double SMOOTHING = 0.05;

  private final PrintWriter out;
  private final String unit;
  private final int unitsEach;
  private final boolean terminal;
  private @Nullable ProgressBar bar;
  private Start start = new Start(0, 0, 1, 1);
  private long began;
  private long lastLine;
  private long before = -1; // steps of a run that was resumed
  private double loss = Double.NaN;
  private double accuracy = Double.NaN;

  @SuppressWarnings("SystemConsoleNull") // it is null again, from JDK 25 on, without a terminal
  Progress(PrintWriter out, String unit, int unitsEach) {
    this.out = out;
    this.unit = unit;
    this.unitsEach = unitsEach;
    Console console = System.console();
    this.terminal = console != null && console.isTerminal();
  }

  @Override
  public void start(Start begin) {
    start = begin;
    began = System.nanoTime();
    lastLine = began;
    if (terminal) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("training")
              .setInitialMax(begin.totalSteps())
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
              .build();
    }
  }

  @Override
  public void step(Step step) {
    before = before < 0 ? step.step() - 1 : before;
    loss = smooth(loss, step.loss());
    accuracy = smooth(accuracy, step.accuracy());
    ProgressBar shown = bar;
    if (shown != null) {
      shown.stepTo(step.step());
      shown.setExtraMessage(figures(step));
    } else if (System.nanoTime() - lastLine > LINE_EVERY_NANOS) {
      lastLine = System.nanoTime();
      double left = elapsed() / (step.step() - before) * (start.totalSteps() - step.step());
      out.printf(
          Locale.ROOT,
          "step %d/%d  %s  %s left%n",
          step.step(),
          start.totalSteps(),
          figures(step),
          time(left));
      out.flush();
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
    String line =
        String.format(
            Locale.ROOT,
            "epoch %d: train loss %.4f, accuracy %.4f%s; %.1f s",
            epoch.number(),
            epoch.trainLoss(),
            epoch.trainAccuracy(),
            tested,
            epoch.seconds());
    ProgressBar shown = bar;
    if (shown != null) {
      shown.pause();
      out.print("\r\033[K");
    }
    out.println(line);
    out.flush();
    if (shown != null) {
      shown.resume();
    }
  }

  @Override
  public void end(History history) {
    close();
  }

  @Override
  public void close() {
    ProgressBar shown = bar;
    if (shown != null) {
      shown.close();
      bar = null;
    }
  }

  private String figures(Step step) {
    double rate = (step.step() - before) * start.batchSize() * unitsEach / elapsed();
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
