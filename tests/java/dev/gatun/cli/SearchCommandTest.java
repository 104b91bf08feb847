package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun search`, from its arguments to its report.
class SearchCommandTest {
  private static final String NUMBER = "\\d\\.\\d{6}e[-+]\\d\\d";

  @TempDir private Path folder = Path.of("");

  /// Two stages of three trials: a line for each stage and trial, a table, what to go on with.
  @Test
  void aSearch_printsItsTrials_andReportsThem() throws IOException {
    Path file = folder.resolve("report.json");
    Cli run =
        mlp("--trials", 3, "--batch", 20, "--lr", "1e-3..1e-1", "--seed", 5, "--report", file);
    assertEquals("", run.err());
    assertEquals(0, run.code());
    List<String> lines = run.out().lines().toList();
    assertEquals(
        "mlp, 51,594 parameters, on "
            + folder.getFileName()
            + "/train, a tenth of it held out to choose by; reference, pure Java, 1 thread",
        lines.getFirst());
    assertEquals(
        "stage 1, 1 epoch each: lr 1.000000e-03 to 1.000000e-01, reg 1.000000e-06 to 1.000000e-02",
        lines.get(1));
    for (int i = 1; i <= 3; i++) {
      for (int line : new int[] {1 + i, 5 + i}) {
        assertTrue(
            lines
                .get(line)
                .matches(
                    "val acc: [01]\\.\\d{6}, lr: %1$s, reg: %1$s, \\(%2$d / 3\\)"
                        .formatted(NUMBER, i)),
            lines.get(line));
      }
    }
    assertTrue(lines.get(5).startsWith("stage 2, 3 epochs each: lr "), lines.get(5));
    assertTrue(lines.get(9).matches(" *val acc +lr +reg +trial"), lines.get(9));
    assertTrue(
        lines
            .getLast()
            .matches("go on with: \\./gatun train mlp --lr [0-9.e-]+ --weight-decay [0-9.e-]+"),
        lines.getLast());

    JsonObject report = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    assertEquals("mlp", report.get("model").getAsString());
    assertEquals("val acc", report.get("score").getAsString());
    assertEquals(5, report.get("seed").getAsInt());
    JsonArray stages = report.getAsJsonArray("stages");
    assertEquals(2, stages.size());
    double best = 0;
    for (JsonElement stage : stages) {
      best = 0;
      for (JsonElement trial : stage.getAsJsonObject().getAsJsonArray("trials")) {
        JsonObject row = trial.getAsJsonObject();
        double rate = row.getAsJsonObject("values").get("lr").getAsDouble();
        assertTrue(rate >= 1e-3 && rate <= 1e-1, row.toString());
        best = Math.max(best, row.get("score").getAsDouble());
      }
    }
    assertEquals(best, report.getAsJsonObject("best").get("score").getAsDouble());
    assertEquals(3, stages.get(1).getAsJsonObject().get("epochs").getAsInt());

    assertEquals(
        lines.subList(0, 9),
        mlp("--trials", 3, "--batch", 20, "--lr", "1e-3..1e-1", "--seed", 5)
            .out()
            .lines()
            .toList()
            .subList(0, 9),
        "the same seed");
  }

  /// Rates of a grid are its ends; the greatest diverges, which is told and not the end. That of
  /// all scores none lies at the upper end is not worrying, the lower end is.
  @Test
  void aGrid_outlivesTrialsThatDiverge() throws IOException {
    Cli run = mlp("--grid", "--trials", 8, "--batch", 50, "--lr", "1e-2..1e30");
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertTrue(lines.get(1).startsWith("grid of 2 times 2, 1 epoch each: "), lines.get(1));
    assertTrue(
        lines.get(4).matches("val acc: NaN, lr: 1\\.0+e\\+30, reg: 1\\.0+e-06, \\(3 / 4\\): .*"),
        lines.get(4));
    assertTrue(
        lines.stream()
            .anyMatch(
                line ->
                    line.startsWith(
                        "warning: lr: the best value, 1.000000e-02, lies at the lower")),
        run.out());
  }

  /// A text is judged by its loss.
  @Test
  void aText_isJudgedByItsLoss() throws IOException {
    Backends.requireNative();
    Path text = folder.resolve("text.txt");
    Files.writeString(text, "gatun ".repeat(2_500));
    Cli run =
        Cli.run("search", "chargru", "--data", text, "--batch", 8, "--trials", 2, "--stages", 1);
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("val loss: "), run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --trials 0          | --trials expects a number of at least 1, found 0
          --stages 0          | --stages expects a number of at least 1, found 0
          --epochs 0          | --epochs expects a number of at least 1, found 0
          --batch 0           | --batch expects a number of at least 1, found 0
          --grid --trials 3   | --grid expects at least 4 trials, found 3
          --threads -1        | --threads expects a number of at least 0, found -1
          --report /nowhere/r | --report: there is no folder /nowhere
          """)
  void options_outOfRange_areExplained(String options, String sentence) {
    Cli run = Cli.run((Object[]) ("search mlp " + options).split(" ", -1));
    assertEquals("gatun: " + sentence + System.lineSeparator(), run.err());
    assertEquals(2, run.code());
  }

  @ParameterizedTest
  @CsvSource({"0.1", "0..1", "1..1", "1..Infinity", "a..b", "1..2..3"})
  void ranges_thatAreNone_areExplained(String range) {
    Cli run = Cli.run("search", "--lr", range);
    assertEquals(
        "Invalid value for option '--lr': expected LOW..HIGH, such as 1e-4..1e-1, found '"
            + range
            + "'",
        run.err().lines().findFirst().orElse(""));
    assertEquals(2, run.code());
  }

  /// 3 to the power of 20 is no int.
  @Test
  void stages_thatWouldTrainForEver_areRefused() throws IOException {
    Cli run = mlp("--stages", 21);
    assertEquals(
        "gatun: --stages expects fewer, for each trains 3 times as long: trials of the last of 21"
            + " would have 3.49e+09 epochs"
            + System.lineSeparator(),
        run.err());
    assertEquals(2, run.code());
  }

  /// 200 pictures, of which 20 are held out.
  @Test
  void aBatch_largerThanWhatIsLeft_isRefused() throws IOException {
    Cli run = mlp("--batch", 181);
    assertEquals(
        "gatun: --batch 181 is more than the 180 training pictures that are not held out"
            + System.lineSeparator(),
        run.err());
    assertEquals(2, run.code());
  }

  private Cli mlp(Object... more) throws IOException {
    List<Object> arguments =
        new ArrayList<>(
            List.of("search", "mlp", "--backend", "reference", "--data", Digits.write(folder)));
    arguments.addAll(List.of(more));
    return Cli.run(arguments.toArray());
  }
}
