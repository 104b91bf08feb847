package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.EarlyStopping;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Recovery;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.cli.plot.Drawing;
import dev.gatun.cli.plot.RunFigure;
import dev.gatun.tensorboard.TensorBoard;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun train`: trains a network on pictures or a text, shows how it goes, and writes a report.
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Trains a network on pictures, or a model of characters on a text, and evaluates it after"
          + " each epoch.",
      "Pictures: SGD with momentum 0.9 and weight decay 1e-4. Text: Adam. The learning rate rises"
          + " over the first twentieth of the run and falls along a cosine to 0."
    })
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "MODEL",
      defaultValue = "resnet20",
      description = "One of " + Task.MODELS + " (default: ${DEFAULT-VALUE}).")
  private String model = "resnet20";

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description =
          "A folder with MNIST (IDX), CIFAR-10 or pictures in one folder per class; for chargru a"
              + " file of text. Without it, 20,000 pictures of characters are drawn.")
  private @Nullable Path data;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Passes over the training set (default: ${DEFAULT-VALUE}).",
      defaultValue = "5")
  private int epochs;

  @Option(names = "--steps", paramLabel = "N", description = "Stop after this many steps instead.")
  private @Nullable Long steps;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Pictures in a step (default: 128), or pieces of text (default: 64).")
  private @Nullable Integer batch;

  @Option(
      names = "--lr",
      paramLabel = "X",
      description =
          "The highest learning rate (default: 0.1 for a ResNet, 0.004 for chargru, 0.05 else).")
  private @Nullable Double learningRate;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      description = "The weight decay (default: 1e-4 for pictures, 0 for text).")
  private @Nullable Double weightDecay;

  @Mixin private DeviceOptions where = new DeviceOptions();

  @Option(
      names = "--steps-per-call",
      paramLabel = "N",
      description =
          "Let the device do up to N steps before it looks back; faster for small networks on a"
              + " GPU, with the same losses (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private int stepsPerCall;

  @Option(
      names = "--resident",
      description =
          "Keep the training pictures in the device's memory; the same losses. A GPU does so anyway"
              + " with up to 1 GiB of them.")
  private boolean resident;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Of everything random; the same seed gives the same losses (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private long seed;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description =
          "Stop after N epochs in a row without a better test loss, and keep the best epoch.")
  private @Nullable Integer patience;

  @Option(
      names = "--recover",
      paramLabel = "N",
      description =
          "If the loss is not finite, go back to where all was well and on at half the learning"
              + " rate, N times at most.")
  private @Nullable Integer recover;

  @Option(
      names = "--checkpoint",
      paramLabel = "FILE",
      description = "Write all that training goes on from, after each epoch.")
  private @Nullable Path checkpoint;

  @Option(
      names = "--resume",
      paramLabel = "FILE",
      description = "Go on with the run that wrote this checkpoint, with the same options.")
  private @Nullable Path resume;

  @Option(
      names = "--tensorboard",
      paramLabel = "DIR",
      description = "Write the run for TensorBoard into this folder.")
  private @Nullable Path tensorBoard;

  @Option(names = "--report", paramLabel = "FILE", description = "Write the run as JSON.")
  private @Nullable Path report;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description =
          "Draw losses, accuracies and learning rates, as SVG or PNG by the name's ending.")
  private @Nullable Path plot;

  @Override
  public Integer call() {
    check();
    // First the device, for the pictures can take a while.
    try (Device device = where.open()) {
      Task task = Task.of(model, data, seed, batch);
      History history = train(task, device);
      if (report != null) {
        Report.of(this, task, device, history).write(report);
      }
      if (plot != null) {
        Drawing.write(RunFigure.of(history), plot);
      }
      return 0;
    }
  }

  private History train(Task task, Device device) {
    PrintWriter out = spec.commandLine().getOut();
    double rate = learningRate == null ? task.learningRate() : learningRate;
    double decay = weightDecay == null ? task.weightDecay() : weightDecay;
    Span length = steps == null ? Span.epochs(epochs) : Span.steps(steps);
    try (Progress progress = new Progress(out, task.unit(), task.unitsEach());
        Trainer trainer = Trainer.of(task.net()).on(device)) {
      task.configure(trainer, device, rate, decay);
      if (resident) {
        task.keepResident(trainer);
      }
      out.printf(
          Locale.ROOT,
          "%s, %,d parameters, on %s: %s; %s%n",
          model,
          task.net().parameterCount(),
          task.data(),
          task.sizes(),
          device.description());
      out.flush();
      trainer.schedule(warmedCosine()).seed(seed).stepsPerCall(stepsPerCall).watch(progress);
      if (patience != null) {
        trainer.stopEarly(EarlyStopping.patience(patience).restoreBest());
      }
      if (tensorBoard != null) {
        trainer.watch(
            TensorBoard.tensorBoard(tensorBoard)
                .note("task", "%s on %s: %s".formatted(model, task.data(), task.sizes())));
      }
      if (recover != null) {
        trainer.recover(Recovery.attempts(recover));
      }
      if (checkpoint != null) {
        trainer.checkpoint(checkpoint, Span.epochs(1));
      }
      if (resume != null) {
        trainer.resume(resume);
      }
      History history = task.fit(trainer, length);
      task.conclude(out, trainer, history, kept(out, history));
      out.flush();
      return history;
    }
  }

  /// What the test set gave for the weights that are left.
  private @Nullable Evaluation kept(PrintWriter out, History history) {
    History.Epoch best = patience == null ? null : history.best();
    if (best == null) {
      return history.test();
    }
    out.printf(
        Locale.ROOT,
        "%s; epoch %d was the best and is kept%n",
        history.stoppedEarly() ? "stopped early" : "went to the end",
        best.number());
    return best.test();
  }

  String model() {
    return model;
  }

  long seed() {
    return seed;
  }

  /// Rises over the first twentieth of a run and falls along a cosine to 0.
  static Schedule warmedCosine() {
    return moment ->
        Schedule.cosine().warmup(Span.steps(Math.max(1, moment.totalSteps() / 20))).factor(moment);
  }

  private void check() {
    Checks.positive("--epochs", epochs);
    Checks.positive("--batch", batch);
    Checks.positive("--steps", steps);
    Checks.positive("--steps-per-call", stepsPerCall);
    Checks.positive("--patience", patience);
    Checks.positive("--recover", recover);
    if (resume != null && !Files.isRegularFile(resume)) {
      throw new UsageException("--resume expects a file, and " + resume + " is none");
    }
    where.check();
    Checks.above0("--lr", learningRate);
    Checks.atLeast0("--weight-decay", weightDecay);
    if (tensorBoard != null && Files.exists(tensorBoard) && !Files.isDirectory(tensorBoard)) {
      throw new UsageException("--tensorboard expects a folder, and " + tensorBoard + " is none");
    }
    Checks.writable("--report", report);
    Checks.writable("--checkpoint", checkpoint);
    Checks.drawable("--plot", plot);
  }
}
