package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import dev.gatun.Repository;
import dev.gatun.ffi.probe.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import me.tongfei.progressbar.ProgressBar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/// Wrong usage ends with exit code 2 and a sentence that says what was wrong.
class UsageTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void help_listsTheCommandsAndTheirOptions() {
    Cli help = Cli.run("--help");
    assertEquals(0, help.code());
    for (String command :
        List.of(
            "train +Trains a network on pictures",
            "doctor +Looks for faults",
            "search +Looks for the learning rate",
            "plot +Draws a figure")) {
      assertTrue(
          Pattern.compile("^  " + command, Pattern.MULTILINE).matcher(help.out()).find(),
          help.out());
    }
    assertEquals("", help.err());
    Cli train = Cli.run("train", "--help");
    assertEquals(0, train.code());
    for (String option :
        List.of(
            "[MODEL]",
            "--data=PATH",
            "--epochs=N",
            "--batch=N",
            "--lr=X",
            "--backend=NAME",
            "--threads=N",
            "--seed=N",
            "--steps=N",
            "--steps-per-call=N",
            "--resident",
            "--patience=N",
            "--weight-decay=X",
            "--checkpoint=FILE",
            "--recover=N",
            "--resume=FILE",
            "--tensorboard=DIR",
            "--report=FILE",
            "--plot=FILE")) {
      assertTrue(train.out().contains("  " + option), option + " in " + train.out());
    }
    Cli search = Cli.run("search", "--help");
    assertEquals(0, search.code());
    for (String option :
        List.of("--trials=N", "--stages=N", "--grid", "--lr=LOW..HIGH", "--report=FILE")) {
      assertTrue(search.out().contains("  " + option), option + " in " + search.out());
    }
    Cli version = Cli.run("--version");
    assertEquals(0, version.code());
    assertTrue(version.out().startsWith("Gatun "), version.out());
    for (String command : List.of("train", "doctor", "search", "plot")) {
      assertEquals(version.out(), Cli.run(command, "--version").out(), command);
    }
  }

  @Test
  void theLauncher_hasTheSameVersion() throws IOException, InterruptedException {
    Process launcher =
        new ProcessBuilder(Repository.file("gatun").toString(), "--version")
            .redirectErrorStream(true)
            .start();
    String printed = new String(launcher.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, launcher.waitFor(), printed);
    assertEquals(Cli.run("--version").out().strip(), printed.strip());
  }

  @Test
  void noCommand_orAnotherOne_isWrongUsage() {
    Cli none = Cli.run();
    assertEquals(2, none.code());
    assertTrue(none.err().startsWith("Missing required subcommand"), none.err());
    Cli other = Cli.run("trian");
    assertEquals(2, other.code());
    assertTrue(other.err().contains("'trian'"), other.err());
  }

  /// What picocli refuses; the first line is the sentence, the usage follows.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --epochs x      | Invalid value for option '--epochs': 'x' is not an int
          --batch 1.5     | Invalid value for option '--batch': '1.5' is not an int
          --lr fast       | Invalid value for option '--lr': 'fast' is not a double
          --seed one      | Invalid value for option '--seed': 'one' is not a long
          --steps 1e3     | Invalid value for option '--steps': '1e3' is not a long
          --backend gpu   | Invalid value for option '--backend': expected one of [cpu, cuda, reference] (case-sensitive) but was 'gpu'
          --nope          | Unknown option: '--nope'
          --report        | Missing required parameter for option '--report' (FILE)
          mlp cnn         | Unmatched argument at index 2: 'cnn'
          """)
  void options_thatCannotBeRead_areNamed(String options, String sentence) {
    Cli run = Cli.run((Object[]) ("train " + options).split(" ", -1));
    assertEquals(2, run.code());
    assertEquals(sentence, run.err().lines().findFirst().orElse(""));
    assertTrue(run.err().contains("Usage: gatun train"), run.err());
    assertEquals("", run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          mlp --epochs 0       | --epochs expects a number of at least 1, found 0
          mlp --batch -3       | --batch expects a number of at least 1, found -3
          cnn --batch 1        | --batch expects at least 2 for cnn, whose dense norms compare pictures, found 1
          mlp --steps 0        | --steps expects a number of at least 1, found 0
          mlp --threads -1     | --threads expects a number of at least 0, found -1
          mlp --lr 0           | --lr expects a number greater than 0, found 0.0
          mlp --lr NaN         | --lr expects a number greater than 0, found NaN
          mlp --lr Infinity    | --lr expects a number greater than 0, found Infinity
          mlp --weight-decay -1 | --weight-decay expects a number of at least 0, found -1.0
          mlp --data /nowhere  | --data expects a folder, and /nowhere is none
          chargru              | chargru learns from a text: --data expects a file
          chargru --data /none | chargru learns from a text: --data expects a file, and /none is none
          mlp --steps-per-call 0 | --steps-per-call expects a number of at least 1, found 0
          mlp --patience 0     | --patience expects a number of at least 1, found 0
          mlp --recover 0      | --recover expects a number of at least 1, found 0
          mlp --resume /none   | --resume expects a file, and /none is none
          mlp --checkpoint /nowhere/c | --checkpoint: there is no folder /nowhere
          mlp --report /nowhere/r.json | --report: there is no folder /nowhere
          resnet21             | there is no model resnet21; there are mlp, cnn, resnet8, resnet14, resnet20, resnet32, ... (6n+2), resnet18, 34, 50, 101, 152, chargru
          resnet2              | there is no model resnet2; there are mlp, cnn, resnet8, resnet14, resnet20, resnet32, ... (6n+2), resnet18, 34, 50, 101, 152, chargru
          lenet                | there is no model lenet; there are mlp, cnn, resnet8, resnet14, resnet20, resnet32, ... (6n+2), resnet18, 34, 50, 101, 152, chargru
          """)
  void options_outOfRange_areExplained(String options, String sentence) {
    Cli run = Cli.run((Object[]) ("train --backend reference " + options).split(" ", -1));
    refused(sentence, run);
  }

  @Test
  void aReport_thatIsAFolder_isRefusedBeforeTheRun() {
    refused(
        "--report expects a file, and " + folder + " is a folder",
        Cli.run("train", "mlp", "--backend", "reference", "--report", folder));
  }

  @Test
  void aFile_isNoFolderForTensorBoard() throws IOException {
    Path file = Files.write(folder.resolve("file"), new byte[1]);
    refused(
        "--tensorboard expects a folder, and " + file + " is none",
        Cli.run("train", "mlp", "--backend", "reference", "--tensorboard", file));
  }

  @Test
  void aFile_isNoFolderOfData() throws IOException {
    Path file = Files.write(folder.resolve("file"), new byte[1]);
    refused(
        "--data expects a folder, and " + file + " is none",
        Cli.run("train", "mlp", "--backend", "reference", "--data", file));
  }

  @Test
  void aBatch_largerThanTheSet_isRefused() throws IOException {
    Path data = Digits.write(folder);
    refused(
        "--batch 201 is more than the 200 training pictures",
        Cli.run("train", "mlp", "--backend", "reference", "--data", data, "--batch", 201));
  }

  @Test
  void aText_thatIsTooShort_isRefused() throws IOException {
    Path data = folder.resolve("short.txt");
    Files.writeString(data, "a".repeat(10_000));
    refused(
        "64 streams of 64 characters and the held-out tenth need a longer text than 10000"
            + " characters",
        Cli.run("train", "chargru", "--backend", "reference", "--data", data));
  }

  @Test
  void aText_thatIsToBeResident_isRefused() throws IOException {
    Path data = folder.resolve("text.txt");
    Files.writeString(data, "a".repeat(20_000));
    refused(
        "--resident keeps pictures in the device's memory; chargru learns from a text",
        Cli.run(
            "train",
            "chargru",
            "--backend",
            "reference",
            "--data",
            data,
            "--resident",
            "--batch",
            8));
  }

  @Test
  void aNetwork_forOtherPictures_isRefused() throws IOException {
    Path data = Digits.write(folder);
    refused(
        "resnet20 is for pictures of (32, 32, 3), these are (8, 8, 1); try cnn or mlp",
        Cli.run("train", "--backend", "reference", "--data", data));
  }

  @Test
  void tooManyThreads_areRefused() {
    dev.gatun.suite.Backends.requireNative();
    Cli run = Cli.run("train", "mlp", "--threads", 100_000);
    refused("--threads 100000: [device_create] threads must be 0..1024, but is 100000", run);
  }

  /// The device comes first: nobody waits for pictures to learn that there is none.
  @Test
  void aMissingLibrary_isExplained() throws Exception {
    String output =
        new ChildJvm()
            .bindingsOnClassPath()
            .onClassPath(ChildJvm.location(Main.class))
            .onClassPath(ChildJvm.location(CommandLine.class))
            .onClassPath(ChildJvm.location(Gson.class))
            .onClassPath(ChildJvm.location(ProgressBar.class))
            .with("--enable-native-access=ALL-UNNAMED", "-Dgatun.library=/nowhere/libgatun.so")
            .run(CliProbe.class, "train", "mlp");
    assertTrue(output.startsWith("gatun: "), output);
    assertTrue(output.contains("/nowhere/libgatun.so"), output);
    assertTrue(output.endsWith("exit 1\n"), output);
    assertTrue(!output.contains("\tat "), output);
  }

  @Test
  void moreStreamsThanAnyTextHas_areRefused() throws IOException {
    Path data = folder.resolve("text.txt");
    Files.writeString(data, "a".repeat(20_000));
    refused(
        "2147483647 streams of 64 characters and the held-out tenth need a longer text than 20000"
            + " characters",
        Cli.run(
            "train",
            "chargru",
            "--backend",
            "reference",
            "--data",
            data,
            "--batch",
            Integer.MAX_VALUE));
  }

  /// There is nothing to tell apart.
  @Test
  void picturesOfOneClass_areRefused() throws IOException {
    Path data = Digits.write(folder);
    for (String part : List.of("train", "t10k")) {
      Path file = data.resolve(part + "-labels-idx1-ubyte");
      byte[] labels = Files.readAllBytes(file);
      Arrays.fill(labels, 8, labels.length, (byte) 0);
      Files.write(file, labels);
    }
    refused(
        "--data expects pictures of two classes at least, found only [0]",
        Cli.run("train", "mlp", "--backend", "reference", "--data", data));
  }

  private static void refused(String sentence, Cli run) {
    assertEquals("gatun: " + sentence + System.lineSeparator(), run.err());
    assertEquals(2, run.code());
    assertEquals("", run.out());
  }
}
