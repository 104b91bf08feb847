package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Trainer;
import dev.gatun.diagnosis.Diagnosis;
import dev.gatun.diagnosis.Inspection;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun doctor`: says why what `gatun train` would do does not train, or that nothing is wrong.
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Looks for faults in what 'train' would do with the same options: the data, the initial"
          + " weights, the learning rate. Makes a few short runs on ten batches.",
      "Ends with 1 if it finds something severe."
    })
final class DoctorCommand implements Callable<Integer> {
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
      description = "A folder of pictures, for chargru a file of text: see 'train'.")
  private @Nullable Path data;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Pictures in a step (default: 128), or pieces of text (default: 64).")
  private @Nullable Integer batch;

  @Option(
      names = "--lr",
      paramLabel = "X",
      description = "The highest learning rate (default: that of 'train').")
  private @Nullable Double learningRate;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      description = "The weight decay (default: that of 'train').")
  private @Nullable Double weightDecay;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Steps of each run, at least 4 (default: ${DEFAULT-VALUE}).",
      defaultValue = "60")
  private int steps;

  @Mixin private DeviceOptions where = new DeviceOptions();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of everything random (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private long seed;

  @Option(
      names = "--layers",
      description = "Also a table of what each layer gives and gets back, after one of the runs.")
  private boolean layers;

  @Override
  public Integer call() {
    check();
    try (Device device = where.open()) {
      Task task = Task.of(model, data, seed, batch);
      double rate = learningRate == null ? task.learningRate() : learningRate;
      try (Trainer trainer = Trainer.of(task.net()).on(device)) {
        double decay = weightDecay == null ? task.weightDecay() : weightDecay;
        task.configure(trainer, device, rate, decay);
        trainer.schedule(TrainCommand.warmedCosine()).seed(seed);
        return examine(task, device, task.doctor(trainer).steps(steps));
      }
    }
  }

  private int examine(Task task, Device device, Doctor doctor) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf(
        Locale.ROOT,
        "%s, %,d parameters, on %s; %s%n",
        model,
        task.net().parameterCount(),
        task.data(),
        device.description());
    out.flush();
    Diagnosis diagnosis = doctor.examine();
    Inspection latest = diagnosis.examination().latest().orElse(null);
    if (layers && latest != null) {
      out.println();
      out.print(latest.report());
      out.println();
    }
    out.print(diagnosis.report());
    out.flush();
    return diagnosis.isHealthy() ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  private void check() {
    where.check();
    Checks.positive("--batch", batch);
    if (steps < 4) {
      throw new UsageException("--steps expects a number of at least 4, found " + steps);
    }
    Checks.above0("--lr", learningRate);
    Checks.atLeast0("--weight-decay", weightDecay);
  }
}
