package dev.gatun.cli;

import dev.gatun.Watcher;
import dev.gatun.search.Result;
import java.io.PrintWriter;
import java.util.Locale;

/// Shows a search: a line for each trial, a live bar on a terminal, and elsewhere a line now and
/// then while a trial takes long.
final class SearchProgress implements Watcher, AutoCloseable {
  private final Bar bar;
  private int trials; // that are done
  private double best = Double.NaN;
  private long totalSteps;
  private long lastLine;

  SearchProgress(PrintWriter out) {
    this.bar = new Bar(out);
  }

  /// @param all trials of all stages
  void begin(int all) {
    bar.begin("searching", all);
    lastLine = System.nanoTime();
  }

  void line(String line) {
    bar.line(line);
  }

  void result(Result result) {
    trials++;
    best = result.goal().isBetter(result.score(), best) ? result.score() : best;
    bar.line(result.line());
    bar.show(trials, Double.isNaN(best) ? "" : String.format(Locale.ROOT, "best %.4f", best));
    lastLine = System.nanoTime();
  }

  @Override
  public void start(Start start) {
    totalSteps = start.totalSteps();
  }

  @Override
  public void step(Step step) {
    String figures =
        String.format(
            Locale.ROOT,
            "trial %d: step %d/%d  loss %.4f",
            trials + 1,
            step.step(),
            totalSteps,
            step.loss());
    if (bar.isLive()) {
      bar.show(trials, figures);
    } else if (System.nanoTime() - lastLine > Progress.LINE_EVERY_NANOS) {
      lastLine = System.nanoTime();
      bar.line(figures);
    }
  }

  @Override
  public void close() {
    bar.close();
  }
}
