package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.cli.plot.Drawing;
import dev.gatun.cli.plot.Plot;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun plot`: draws a figure of the lectures from what Gatun computes for it.
@Command(
    name = "plot",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Draws a figure of what makes nets train, from runs that take seconds, on drawn data.",
      "The curves of a run of your own: gatun train --plot FILE."
    })
final class PlotCommand implements Callable<Integer> {
  private CommandSpec spec = CommandSpec.create();

  @Parameters(index = "0", paramLabel = "WHAT", description = "One of those below.")
  private Plot what = Plot.activations;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description = "Where to, as SVG or PNG by the name's ending (default: WHAT.svg).")
  private @Nullable Path output;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of everything random (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private long seed;

  /// Adds the list of figures to the help.
  @Spec
  void spec(CommandSpec newSpec) {
    spec = newSpec;
    StringBuilder figures = new StringBuilder(String.format("%nFigures:%n"));
    for (Plot plot : Plot.values()) {
      figures.append(String.format(Locale.ROOT, "  %-15s %s%n", plot, plot.subject()));
    }
    spec.usageMessage().footer(figures.toString());
  }

  @Override
  public Integer call() {
    Path file = output == null ? Path.of(what + ".svg") : output;
    Checks.drawable("--output", file);
    try (Device device = Device.cpu()) {
      Drawing.write(what.figure(device, seed), file);
    }
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%s: %s%n", file, what.subject());
    out.flush();
    return 0;
  }
}
