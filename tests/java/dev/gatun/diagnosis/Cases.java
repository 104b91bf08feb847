package dev.gatun.diagnosis;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Repository;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/// Small tasks that a sound network learns at once, and what the doctor says of trainers for them.
final class Cases {
  static final int FEATURES = 12;
  static final int CLASSES = 4;
  static final int BATCH = 32;

  private Cases() {}

  /// One thread: steps of this size are too short to share.
  static Device device() {
    Backends.requireNative();
    return Holder.DEVICE;
  }

  private static final class Holder {
    static final Device DEVICE = Device.cpu(1);
  }

  /// Points around a centre for each class.
  static List<Minibatch> clouds() {
    return clouds(BATCH, 1, 0);
  }

  /// The same, times `scale` and moved by `offset`.
  static List<Minibatch> clouds(int batch, double scale, double offset) {
    RandomStream random = new RandomStream(3, 0);
    double[] centres = new double[CLASSES * FEATURES];
    for (int i = 0; i < centres.length; i++) {
      centres[i] = 0.8 * random.nextGaussian();
    }
    List<Minibatch> batches = new ArrayList<>();
    for (int b = 0; b < 10; b++) {
      float[] inputs = new float[batch * FEATURES];
      int[] labels = new int[batch];
      for (int n = 0; n < batch; n++) {
        labels[n] = random.nextInt(CLASSES);
        for (int k = 0; k < FEATURES; k++) {
          double value = centres[labels[n] * FEATURES + k] + 0.6 * random.nextGaussian();
          inputs[n * FEATURES + k] = (float) (scale * value + offset);
        }
      }
      batches.add(Minibatch.of(inputs, labels));
    }
    return batches;
  }

  /// The sums of some features, times `scale`, for targets.
  static List<Minibatch> sums(double scale) {
    return clouds().stream()
        .map(
            batch -> {
              float[] inputs = batch.inputs();
              float[] sums = new float[BATCH];
              for (int n = 0; inputs != null && n < BATCH; n++) {
                sums[n] = (float) (scale * (inputs[n * FEATURES] - inputs[n * FEATURES + 1]));
              }
              return Minibatch.of(inputs == null ? new float[0] : inputs, sums);
            })
        .toList();
  }

  static Net mlp() {
    return Net.input(FEATURES).dense(32).relu().dense(32).relu().dense(CLASSES);
  }

  /// What there is to say of `net` on the clouds at a good rate.
  static Diagnosis examine(Net net) {
    return examine(net, clouds(), trainer -> trainer);
  }

  static Diagnosis examine(Net net, List<Minibatch> batches, UnaryOperator<Trainer> set) {
    try (Trainer trainer =
        set.apply(Trainer.of(net).on(device()).optimizer(Optimizer.sgd(0.05).momentum(0.9)))) {
      return Doctor.of(trainer, batches).examine();
    }
  }

  /// `docs/diagnosis.md` has a row for a problem of this name.
  static void requireDocumented(String problem) {
    Path page = Repository.file("docs/diagnosis.md");
    try {
      String text = Files.readString(page);
      assertTrue(text.contains("| " + problem + " |"), problem + " is not in " + page);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
