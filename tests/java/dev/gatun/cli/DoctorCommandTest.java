package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun doctor`: what it prints, and how it ends.
class DoctorCommandTest {
  @TempDir private Path folder = Path.of("");

  private Cli doctor(Object... options) throws IOException {
    Backends.requireNative();
    Object[] all = new Object[5 + options.length];
    List<Object> fixed = List.of("doctor", "mlp", "--data", Digits.write(folder), "--threads=1");
    fixed.toArray(all);
    System.arraycopy(options, 0, all, fixed.size(), options.length);
    return Cli.run(all);
  }

  @Test
  void aSoundTask_hasNoFault() throws IOException {
    Cli run = doctor("--batch", 20);
    assertEquals("", run.err());
    assertEquals(0, run.code(), run.out());
    List<String> lines = run.out().lines().toList();
    assertTrue(lines.getFirst().startsWith("mlp, 51,594 parameters, on "), run.out());
    assertTrue(run.out().contains("\ninitial loss: 2."), run.out());
    assertTrue(run.out().endsWith("\nNo fault found.\n"), run.out());
  }

  @Test
  void aRateThatIsTooHigh_isSevere() throws IOException {
    Cli run = doctor("--batch", 20, "--lr", 1e6, "--layers");
    assertEquals("", run.err());
    assertEquals(1, run.code(), run.out());
    assertTrue(run.out().contains("\nSEVERE: learning rate too high\n  seen:  "), run.out());
    assertTrue(run.out().contains("\ndense0 "), run.out());
  }

  @Test
  void aText_isExaminedToo() throws IOException {
    Path data = folder.resolve("text.txt");
    Files.writeString(data, "locks and dams, ships and tides. ".repeat(500));
    Cli run =
        Cli.run("doctor", "chargru", "--data", data, "--batch", 8, "--steps", 12, "--threads=1");
    assertEquals("", run.err());
    assertEquals(0, run.code(), run.out());
    assertTrue(run.out().contains("\nat the trainer's rate: rate 0.004: loss "), run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --batch 0    | --batch expects a number of at least 1, found 0
          --steps 3    | --steps expects a number of at least 4, found 3
          --lr 0       | --lr expects a number greater than 0, found 0.0
          --threads -1 | --threads expects a number of at least 0, found -1
          """)
  void options_outOfRange_areExplained(String options, String sentence) {
    Cli run = Cli.run((Object[]) ("doctor --backend reference " + options).split(" ", -1));
    assertEquals("gatun: " + sentence + System.lineSeparator(), run.err());
    assertEquals(2, run.code());
  }
}
