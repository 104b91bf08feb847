package dev.gatun.cli;

import java.io.Console;
import java.io.PrintWriter;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/// A live bar on a terminal, nothing elsewhere; and lines that leave it whole.
final class Bar implements AutoCloseable {
  private final PrintWriter out;
  private final boolean terminal;
  private @Nullable ProgressBar bar;

  @SuppressWarnings("SystemConsoleNull") // it is null again, from JDK 25 on, without a terminal
  Bar(PrintWriter out) {
    this.out = out;
    Console console = System.console();
    this.terminal = console != null && console.isTerminal();
  }

  boolean isLive() {
    return terminal;
  }

  void begin(String name, long total) {
    if (terminal) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
              .build();
    }
  }

  void show(long done, String figures) {
    ProgressBar shown = bar;
    if (shown != null) {
      shown.stepTo(done);
      shown.setExtraMessage(figures);
    }
  }

  void line(String line) {
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
  public void close() {
    ProgressBar shown = bar;
    if (shown != null) {
      shown.close();
      bar = null;
    }
  }
}
