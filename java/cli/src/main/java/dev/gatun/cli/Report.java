package dev.gatun.cli;

import com.google.gson.GsonBuilder;
import dev.gatun.Device;
import dev.gatun.Evaluation;
import dev.gatun.History;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A run as JSON. The field names are the format.
///
/// @param model the model's name
/// @param data the data set's name
/// @param backend `cpu`, `cuda` or `reference`
/// @param threads of the backend
/// @param seed of the run
/// @param batch pictures in a step, or pieces of text
/// @param parameters trained numbers
/// @param machine where it ran
/// @param epochs a row for each epoch
/// @param losses of every step
/// @param learningRates of every step
/// @param rollBacks returns to where all was well, after which the run went on at a lower rate
/// @param step how long the steps took
/// @param imagesPerSecond in training, waiting for data included; of a text characters
/// @param peakMemoryBytes the process's greatest resident set, or the device's peak where the
///   system does not tell
/// @param devicePeakMemoryBytes the most memory the device held
record Report(
    String model,
    String data,
    String backend,
    int threads,
    long seed,
    int batch,
    long parameters,
    Machine machine,
    List<Epoch> epochs,
    float[] losses,
    double[] learningRates,
    List<RollBack> rollBacks,
    Step step,
    double imagesPerSecond,
    long peakMemoryBytes,
    long devicePeakMemoryBytes) {

  record Epoch(
      double trainLoss,
      double trainAccuracy,
      double learningRate,
      @Nullable Double testLoss,
      @Nullable Double testAccuracy,
      double seconds) {
    static Epoch of(History.Epoch epoch) {
      Evaluation test = epoch.test();
      return new Epoch(
          epoch.trainLoss(),
          epoch.trainAccuracy(),
          epoch.learningRate(),
          test == null ? null : test.loss(),
          test == null ? null : test.accuracy(),
          epoch.seconds());
    }
  }

  /// From a step to an earlier one, and what the learning rate is multiplied by from there.
  record RollBack(long from, long to, double rate) {
    static RollBack of(History.RollBack rollBack) {
      return new RollBack(rollBack.from(), rollBack.to(), rollBack.rate());
    }
  }

  record Step(double medianMillis, double p95Millis) {}

  static Report of(TrainCommand command, Task task, Device device, History history) {
    long devicePeak = device.memoryUse().peakBytes();
    return new Report(
        command.model(),
        task.data(),
        device.name(),
        device.threads(),
        command.seed(),
        task.batch(),
        task.net().parameterCount(),
        Machine.of(device),
        history.epochs().stream().map(Epoch::of).toList(),
        history.losses(),
        history.learningRates(),
        history.rollBacks().stream().map(RollBack::of).toList(),
        new Step(history.stepMillis(0.5), history.stepMillis(0.95)),
        history.imagesPerSecond(),
        Machine.peakResidentBytes(devicePeak),
        devicePeak);
  }

  void write(Path file) {
    write(this, file);
  }

  static void write(Object report, Path file) {
    try (Writer writer = Files.newBufferedWriter(file)) {
      new GsonBuilder().setPrettyPrinting().serializeNulls().create().toJson(report, writer);
      writer.write("\n");
    } catch (IOException e) {
      throw new UncheckedIOException("the report cannot be written to " + file + ": " + e, e);
    }
  }
}
