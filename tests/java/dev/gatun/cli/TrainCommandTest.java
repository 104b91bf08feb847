package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun train`, from its arguments to its report.
class TrainCommandTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void aRun_printsEachEpochAndTheResult() throws IOException {
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            Digits.write(folder),
            "--backend",
            "reference",
            "--epochs",
            2,
            "--batch",
            20);
    assertEquals("", run.err());
    assertEquals(0, run.code());
    List<String> lines = run.out().lines().toList();
    assertEquals(4, lines.size(), run.out());
    assertEquals(
        "mlp, 51,594 parameters, on "
            + folder.getFileName()
            + "/train: 200 training and 55 test pictures; reference, pure Java, 1 thread",
        lines.getFirst());
    String figures =
        "train loss \\d\\.\\d{4}, accuracy [01]\\.\\d{4}; test loss \\d\\.\\d{4}, accuracy"
            + " [01]\\.\\d{4}; \\d+\\.\\d s";
    assertTrue(lines.get(1).matches("epoch 1: " + figures), lines.get(1));
    assertTrue(lines.get(2).matches("epoch 2: " + figures), lines.get(2));
    assertTrue(
        lines
            .get(3)
            .matches(
                "test accuracy [01]\\.\\d{4}, loss \\d\\.\\d{4}; \\d+ images/s in training, step"
                    + " \\d+\\.\\d ms \\(median\\)"),
        lines.get(3));
  }

  /// On the emulated GPU, unless there is another one: the losses of the CPU, up to rounding.
  @Test
  void aRunOnCuda_followsTheCpu() throws IOException {
    Backends.requireNative();
    Object data = Digits.write(folder);
    List<Double> losses = new ArrayList<>();
    for (String backend : List.of("cpu", "cuda")) {
      Path file = folder.resolve(backend + ".json");
      Cli run =
          Cli.run(
              "train",
              "mlp",
              "--data",
              data,
              "--backend",
              backend,
              "--steps",
              5,
              "--batch",
              20,
              "--report",
              file);
      assertEquals(0, run.code(), run.err());
      JsonObject report = read(file);
      assertEquals(backend, report.get("backend").getAsString());
      JsonObject epoch = report.getAsJsonArray("epochs").get(0).getAsJsonObject();
      losses.add(epoch.get("trainLoss").getAsDouble());
    }
    assertEquals(losses.getFirst(), losses.getLast(), 1e-4);
  }

  /// Steps that change nothing: the second and third epoch are not better than the first.
  @Test
  void patience_endsARun() throws IOException {
    Cli run = mlp(Digits.write(folder), "--epochs", 9, "--lr", 1e-30, "--patience", 2);
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(6, lines.size(), run.out());
    assertTrue(lines.get(3).startsWith("epoch 3: "), lines.get(3));
    assertEquals("stopped early; epoch 1 was the best and is kept", lines.get(4));
  }

  /// Weights that grow a hundredfold in each step: the run ends, or goes back and halves its rate
  /// until they do not.
  @Test
  void recover_lowersARateThatDiverges() throws IOException {
    Object data = Digits.write(folder);
    Path file = folder.resolve("report.json");
    assertEquals(1, mlp(data, "--lr", 1e6).code());
    Cli run = mlp(data, "--lr", 1e6, "--recover", 20, "--report", file);
    assertEquals(0, run.code(), run.err());
    List<String> back =
        run.out().lines().filter(line -> line.contains(": the loss is not finite; ")).toList();
    assertTrue(
        back.getFirst()
            .matches(
                "step \\d+: the loss is not finite; back to step \\d+, learning rate times 0\\.5"),
        back.getFirst());
    JsonArray rollBacks = read(file).getAsJsonArray("rollBacks");
    assertEquals(back.size(), rollBacks.size());
    for (int i = 0; i < back.size(); i++) {
      JsonObject rollBack = rollBacks.get(i).getAsJsonObject();
      assertEquals(Math.pow(0.5, i + 1), number(rollBack, "rate"));
      assertTrue(integer(rollBack, "from") > integer(rollBack, "to"));
    }
    assertEquals(50, read(file).getAsJsonArray("losses").size());
    Cli limited = mlp(data, "--lr", 1e6, "--recover", 1);
    assertEquals(1, limited.code());
    assertTrue(limited.err().contains("Going back 1 times did not help"), limited.err());
  }

  /// Both take memory, and neither changes the run.
  @Test
  void residentPictures_andStepsPerCall_giveTheSameLosses() throws IOException {
    Object data = Digits.write(folder);
    Path file = folder.resolve("report.json");
    assertEquals(0, mlp(data, "--epochs", 2, "--report", file).code());
    JsonObject plain = read(file);
    for (Object[] options :
        new Object[][] {
          {"--resident"}, {"--steps-per-call", 4}, {"--steps-per-call", 4, "--resident"}
        }) {
      List<Object> more = new ArrayList<>(List.of("--epochs", 2, "--report", file));
      more.addAll(List.of(options));
      Cli run = mlp(data, more.toArray());
      assertEquals(0, run.code(), run.err());
      JsonObject found = read(file);
      assertEquals(plain.get("losses"), found.get("losses"));
      assertEquals(accuracies(plain), accuracies(found));
      String bytes = "devicePeakMemoryBytes";
      assertTrue(integer(found, bytes) > integer(plain, bytes), Arrays.toString(options));
    }
  }

  @Test
  void stepsPerCall_thatFindNoMemory_areExplained() throws IOException {
    Cli run = mlp(Digits.write(folder), "--steps-per-call", Integer.MAX_VALUE);
    assertEquals(1, run.code());
    assertTrue(
        run.err()
            .matches(
                "gatun: \\[batch\\] the host can see 2147483647 bytes at most, but 2147483647 batches"
                    + " and their results take 2147483647 x 5\\d{3}; take smaller batches, or fewer"
                    + " steps a call\\R"),
        run.err());
  }

  /// Two epochs, and a third that goes on from their checkpoint: the report has all three.
  @Test
  void aRun_goesOnFromItsCheckpoint() throws IOException {
    Object data = Digits.write(folder);
    Path checkpoint = folder.resolve("checkpoint");
    Path first = folder.resolve("first.json");
    Path whole = folder.resolve("whole.json");
    mlp(data, "--epochs", 2, "--checkpoint", checkpoint, "--report", first);
    Cli run = mlp(data, "--epochs", 3, "--resume", checkpoint, "--report", whole);
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(3, lines.size(), run.out());
    assertTrue(lines.get(1).startsWith("epoch 3: "), lines.get(1));
    assertEquals(3, read(whole).getAsJsonArray("epochs").size());
    List<JsonElement> losses = read(whole).getAsJsonArray("losses").asList();
    assertEquals(30, losses.size());
    assertEquals(read(first).getAsJsonArray("losses").asList(), losses.subList(0, 20));
  }

  /// A run for training and one for the test, with what was trained on what, and how, as texts.
  @Test
  void tensorboard_getsItsFiles() throws IOException {
    Path runs = folder.resolve("runs");
    Cli run =
        mlp(
            Digits.write(folder),
            "--epochs",
            1,
            "--tensorboard",
            runs,
            "--lr",
            0.01,
            "--weight-decay",
            50);
    assertEquals(0, run.code(), run.err());
    for (String name : List.of("train", "test")) {
      try (Stream<Path> files = Files.list(runs.resolve(name))) {
        String content = Files.readString(files.toList().getFirst(), StandardCharsets.ISO_8859_1);
        assertTrue(content.contains("brain.Event:2"), name);
        assertTrue(content.contains("loss"), name);
        assertEquals(name.equals("train"), content.contains("/train: 200 training and 55"), name);
        assertEquals(name.equals("train"), content.contains("weightDecay=50.0"), name);
      }
    }
  }

  private static Cli mlp(Object data, Object... more) {
    List<Object> arguments =
        new ArrayList<>(
            List.of("train", "mlp", "--backend", "reference", "--batch", 20, "--data", data));
    arguments.addAll(List.of(more));
    return Cli.run(arguments.toArray());
  }

  /// On a text that is one word, over and over, the model soon knows what comes next, and writes
  /// it.
  @Test
  void aTextsRun_printsNatsPerCharacterAndASample() throws IOException {
    Backends.requireNative();
    Path text = folder.resolve("text.txt");
    Files.writeString(text, "gatun ".repeat(2_000));
    Path file = folder.resolve("report.json");
    Cli run =
        Cli.run("train", "chargru", "--data", text, "--batch", 8, "--epochs", 3, "--report", file);
    assertEquals("", run.err());
    assertEquals(0, run.code());
    // Without what a slow machine says between epochs.
    List<String> lines = run.out().lines().filter(line -> !line.startsWith("step ")).toList();
    assertEquals(8, lines.size(), run.out());
    assertTrue(
        lines
            .getFirst()
            .startsWith(
                "chargru, 248,710 parameters, on text.txt: 10,800 training and 1,200 held-out"
                    + " characters, 6 different ones; "),
        lines.getFirst());
    assertTrue(lines.get(3).startsWith("epoch 3: train loss 0."), lines.get(3));
    assertEquals("", lines.get(4));
    assertTrue(lines.get(5).contains("gatun gatun gatun gatun gatun "), lines.get(5));
    assertEquals(400, lines.get(5).length());
    assertTrue(
        lines
            .get(7)
            .matches(
                "held-out text: 0\\.0\\d{3} nats per character, accuracy (1|0\\.9)\\.?\\d*; \\d+"
                    + " characters/s in training, step \\d+\\.\\d ms \\(median\\)"),
        lines.get(7));
    JsonObject report = read(file);
    assertEquals("text.txt", report.get("data").getAsString());
    assertEquals(8, integer(report, "batch"));
  }

  @Test
  void theReport_hasAllFields() throws IOException {
    Path file = folder.resolve("report.json");
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            Digits.write(folder),
            "--backend",
            "reference",
            "--epochs",
            2,
            "--batch",
            30,
            "--seed",
            42,
            "--lr",
            0.02,
            "--report",
            file);
    assertEquals(0, run.code(), run.err());
    JsonObject report = read(file);
    assertEquals("mlp", report.get("model").getAsString());
    assertEquals(folder.getFileName() + "/train", report.get("data").getAsString());
    assertEquals("reference", report.get("backend").getAsString());
    assertEquals(1, integer(report, "threads"));
    assertEquals(42, integer(report, "seed"));
    assertEquals(30, integer(report, "batch"));
    assertEquals(51_594, integer(report, "parameters"));
    JsonObject machine = report.getAsJsonObject("machine");
    for (String name : List.of("system", "processor", "java", "device")) {
      assertFalse(machine.get(name).getAsString().isEmpty(), name);
    }
    assertEquals(Runtime.getRuntime().availableProcessors(), integer(machine, "processors"));

    JsonArray epochs = report.getAsJsonArray("epochs");
    assertEquals(2, epochs.size());
    for (JsonElement epoch : epochs) {
      JsonObject row = epoch.getAsJsonObject();
      assertTrue(number(row, "trainLoss") > 0);
      assertTrue(number(row, "testLoss") > 0);
      for (String share : List.of("trainAccuracy", "testAccuracy")) {
        assertTrue(number(row, share) >= 0 && number(row, share) <= 1, share);
      }
      assertTrue(number(row, "seconds") > 0);
    }
    JsonArray losses = report.getAsJsonArray("losses");
    assertEquals(12, losses.size(), "every step: 200 / 30, twice");
    double sum = 0;
    for (int i = 0; i < 6; i++) {
      sum += losses.get(i).getAsDouble();
    }
    assertEquals(number(epochs.get(0).getAsJsonObject(), "trainLoss"), sum / 6, 1e-6);
    JsonArray rates = report.getAsJsonArray("learningRates");
    assertEquals(12, rates.size());
    assertEquals(0.02, rates.get(0).getAsDouble(), 0.0021, "warm-up of a step, then a cosine");
    for (int i = 0; i < 2; i++) {
      double last = rates.get(6 * i + 5).getAsDouble();
      assertEquals(last, number(epochs.get(i).getAsJsonObject(), "learningRate"));
    }
    assertTrue(rates.get(11).getAsDouble() < rates.get(5).getAsDouble());
    assertTrue(report.getAsJsonArray("rollBacks").isEmpty());
    JsonObject step = report.getAsJsonObject("step");
    assertTrue(number(step, "medianMillis") > 0);
    assertTrue(number(step, "p95Millis") >= number(step, "medianMillis"));
    assertTrue(number(report, "imagesPerSecond") > 0);
    assertTrue(integer(report, "peakMemoryBytes") > 1 << 20);
    assertTrue(integer(report, "devicePeakMemoryBytes") > 51_594 * 4);
  }

  /// `--steps` takes the place of `--epochs`; the last epoch may be incomplete.
  @Test
  void steps_endTheRun() throws IOException {
    Path file = folder.resolve("report.json");
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            Digits.write(folder),
            "--backend",
            "reference",
            "--steps",
            6,
            "--epochs",
            50,
            "--batch",
            50,
            "--report",
            file);
    assertEquals(0, run.code(), run.err());
    assertEquals(6, read(file).getAsJsonArray("losses").size());
    assertEquals(2, read(file).getAsJsonArray("epochs").size());
  }

  @Test
  void theSameSeed_givesTheSameReport_forEveryNumberOfThreads() throws IOException {
    Backends.requireNative();
    Path data = Digits.write(folder);
    JsonObject first = cpu(data, 1, 5);
    assertEquals("cpu", first.get("backend").getAsString());
    assertEquals(1, integer(first, "threads"));
    JsonObject second = cpu(data, 2, 5);
    assertEquals(2, integer(second, "threads"));
    assertEquals(first.get("losses"), second.get("losses"));
    assertEquals(accuracies(first), accuracies(second));
    assertFalse(first.get("losses").equals(cpu(data, 1, 6).get("losses")), "another seed");
  }

  /// The convolutional network, batch norm and dropout included, learns within a few epochs.
  @Test
  void theCnn_learns() throws IOException {
    Backends.requireNative();
    Path file = folder.resolve("report.json");
    Cli run =
        Cli.run(
            "train",
            "cnn",
            "--data",
            Digits.write(folder),
            "--epochs",
            4,
            "--batch",
            10,
            "--report",
            file);
    assertEquals(0, run.code(), run.err());
    JsonArray epochs = read(file).getAsJsonArray("epochs");
    assertTrue(number(epochs.get(3).getAsJsonObject(), "testAccuracy") > 0.95, run.out());
  }

  /// Without `--data` characters are drawn.
  @Test
  void withoutData_charactersAreDrawn() throws IOException {
    Backends.requireNative();
    Path file = folder.resolve("report.json");
    Cli run = Cli.run("train", "mlp", "--steps", 2, "--batch", 16, "--report", file);
    assertEquals(0, run.code(), run.err());
    assertEquals("characters/train", read(file).get("data").getAsString());
    assertTrue(run.out().contains("18,000 training and 2,000 test pictures"), run.out());
  }

  /// Models, rates and data go together as they are. Guessing is right for one in 36.
  @ParameterizedTest
  @CsvSource({"mlp, 3, 0.3", "cnn, 1, 0.5"})
  void withoutOptions_charactersAreLearned(String model, int epochs, double accuracy)
      throws IOException {
    Backends.requireNative();
    Path file = folder.resolve("report.json");
    Cli run = Cli.run("train", model, "--epochs", epochs, "--report", file);
    assertEquals(0, run.code(), run.err());
    JsonObject last = read(file).getAsJsonArray("epochs").get(epochs - 1).getAsJsonObject();
    assertTrue(number(last, "testAccuracy") > accuracy, run.out());
  }

  @Test
  void aDivergingRun_isExplained() throws IOException {
    Path file = folder.resolve("report.json");
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            Digits.write(folder),
            "--backend",
            "reference",
            "--batch",
            50,
            "--lr",
            1e30,
            "--report",
            file);
    assertEquals(1, run.code());
    assertTrue(
        run.err().matches("gatun: the loss became \\S+ at step \\d+ with .*Usual causes: .*\\R"),
        run.err());
    assertFalse(Files.exists(file), "no report of a failed run");
  }

  @Test
  void aFolderWithoutData_isNamed() throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    Cli run = Cli.run("train", "mlp", "--data", empty, "--backend", "reference");
    assertEquals(1, run.code());
    assertEquals(
        "gatun: [data] "
            + empty
            + ": no data found; looked for train-images-idx3-ubyte[.gz] (MNIST), data_batch_1.bin"
            + " or data_batch_1.png (CIFAR-10), train/<class>/*.jpg or <class>/*.jpg (pictures)"
            + System.lineSeparator(),
        run.err());
  }

  @Test
  void aTruncatedFile_isNamed() throws IOException {
    Path file = Digits.write(folder).resolve("train-images-idx3-ubyte");
    Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 5000));
    Cli run = Cli.run("train", "mlp", "--data", folder, "--backend", "reference");
    assertEquals(1, run.code());
    assertTrue(run.err().startsWith("gatun: [data] " + file + ": "), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  @Test
  void aMissingFile_isNamed() throws IOException {
    Files.delete(Digits.write(folder).resolve("t10k-labels-idx1-ubyte"));
    Cli run = Cli.run("train", "mlp", "--data", folder, "--backend", "reference");
    assertEquals(1, run.code());
    assertTrue(run.err().contains("t10k-labels-idx1-ubyte"), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
  }

  /// The run is not lost: what it gave stands on the screen.
  @Test
  void aReport_thatCannotBeWritten_isExplainedAfterTheResult() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "no /dev/full");
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            Digits.write(folder),
            "--backend",
            "reference",
            "--steps",
            1,
            "--report",
            full);
    assertEquals(1, run.code());
    assertTrue(
        run.err().startsWith("gatun: the report cannot be written to /dev/full: "), run.err());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.out().contains("test accuracy"), run.out());
  }

  private JsonObject cpu(Path data, int threads, long seed) throws IOException {
    Path file = folder.resolve("report-" + threads + "-" + seed + ".json");
    Cli run =
        Cli.run(
            "train",
            "cnn",
            "--data",
            data,
            "--steps",
            12,
            "--batch",
            20,
            "--threads",
            threads,
            "--seed",
            seed,
            "--report",
            file);
    assertEquals(0, run.code(), run.err());
    return read(file);
  }

  private static List<Double> accuracies(JsonObject report) {
    return report.getAsJsonArray("epochs").asList().stream()
        .map(epoch -> number(epoch.getAsJsonObject(), "testAccuracy"))
        .toList();
  }

  private static JsonObject read(Path file) throws IOException {
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }

  private static double number(JsonObject object, String name) {
    assertTrue(object.getAsJsonPrimitive(name).isNumber(), name);
    return object.get(name).getAsDouble();
  }

  private static long integer(JsonObject object, String name) {
    assertTrue(object.getAsJsonPrimitive(name).isNumber(), name);
    return Long.parseLong(object.get(name).getAsString());
  }

  /// A mistake of the user's, and no bug.
  @Test
  void aRun_thatGoesOnWithOtherBatches_isRefused() throws IOException {
    Path data = Digits.write(folder);
    Path checkpoint = folder.resolve("checkpoint");
    mlp(data, "--epochs", 1, "--checkpoint", checkpoint);
    Cli run =
        Cli.run(
            "train",
            "mlp",
            "--data",
            data,
            "--backend",
            "reference",
            "--batch",
            50,
            "--resume",
            checkpoint);
    assertEquals(
        "gatun: [data] "
            + checkpoint
            + ": a run with 10 steps an epoch of 1 batches of 20 is to go on; this one has 4 of 1 of"
            + " 50"
            + System.lineSeparator(),
        run.err());
    assertEquals(1, run.code());
  }
}
