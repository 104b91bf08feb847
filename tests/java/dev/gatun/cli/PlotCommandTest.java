package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.cli.plot.Plot;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun plot`, and the curves of `gatun train --plot`.
class PlotCommandTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void help_listsTheFigures() {
    Cli help = Cli.run("plot", "--help");
    assertEquals(0, help.code());
    for (Plot plot : Plot.values()) {
      assertTrue(
          help.out().lines().anyMatch(line -> line.matches("  " + plot + " +" + plot.subject())),
          plot + " in " + help.out());
    }
  }

  @ParameterizedTest
  @CsvSource({"svg, <?xml", "png, \u0089PNG"})
  void aFigure_isDrawn(String format, String begin) throws IOException {
    Backends.requireNative();
    Path file = folder.resolve("figure." + format);
    Cli run = Cli.run("plot", "schedules", "-o", file);
    assertEquals("", run.err());
    assertEquals(0, run.code());
    assertEquals(file + ": learning-rate schedules" + System.lineSeparator(), run.out());
    byte[] content = Files.readAllBytes(file);
    for (int i = 0; i < begin.length(); i++) {
      assertEquals(begin.charAt(i), content[i] & 0xFF);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          -o /nowhere/a.svg | --output: there is no folder /nowhere
          -o a.pdf          | --output expects a name that ends in .svg or .png, found a.pdf
          """)
  void files_thatCannotBe_areRefused(String options, String sentence) {
    Cli run = Cli.run((Object[]) ("plot schedules " + options).split(" ", -1));
    assertEquals("gatun: " + sentence + System.lineSeparator(), run.err());
    assertEquals(2, run.code());
  }

  @Test
  void anUnknownFigure_isRefused() {
    Cli run = Cli.run("plot", "nothing");
    assertEquals(2, run.code());
    assertTrue(
        run.err().contains("expected one of [activations, cliff, costs, depth, "), run.err());
    assertTrue(run.err().contains("but was 'nothing'"), run.err());
    Cli none = Cli.run("plot");
    assertEquals(2, none.code());
    assertTrue(none.err().startsWith("Missing required parameter: 'WHAT'"), none.err());
  }

  @Test
  void aRun_isDrawnAtItsEnd() throws IOException {
    Path file = folder.resolve("run.svg");
    Object data = Digits.write(folder);
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            data,
            "--backend",
            "reference",
            "--steps",
            20,
            "--batch",
            50,
            "--plot",
            file);
    assertEquals("", run.err());
    assertEquals(0, run.code());
    String svg = Files.readString(file);
    assertTrue(svg.contains("<svg ") && svg.split("<line ", -1).length > 20);
  }

  @Test
  void aRun_thatCannotBeDrawn_doesNotBegin() throws IOException {
    Object data = Digits.write(folder);
    Path file = folder.resolve("run.gif");
    Cli run = Cli.run("train", "mlp", "--data", data, "--backend", "reference", "--plot", file);
    assertEquals(2, run.code());
    assertEquals(
        "gatun: --plot expects a name that ends in .svg or .png, found run.gif"
            + System.lineSeparator(),
        run.err());
    assertEquals("", run.out());
    assertFalse(Files.exists(file));
  }
}
