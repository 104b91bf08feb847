package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Device;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Trainers in several threads do not disturb each other.
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ConcurrencyTest {
  private static final Net NET =
      Net.input(8, 8, 3)
          .conv(new Conv(8, 3).withoutBias())
          .batchNorm()
          .relu()
          .maxPool(2)
          .flatten()
          .dropout(0.3)
          .dense(Pictures.CLASSES);

  @Test
  void trainers_onOneDevice_trainAsAlone() throws Exception {
    Backends.requireNative();
    try (Device device = Device.cpu(2)) {
      List<float[]> alone = List.of(train(device, 1), train(device, 2), train(device, 3));
      List<float[]> together = together(List.of(device, device, device));
      for (int i = 0; i < 3; i++) {
        assertArrayEquals(alone.get(i), together.get(i));
      }
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  @Test
  void trainers_onDevicesOfTheirOwn_trainAsAlone() throws Exception {
    Backends.requireNative();
    try (Device one = Device.cpu(2);
        Device two = Device.cpu(3);
        Device three = Device.reference()) {
      List<float[]> alone = List.of(train(one, 1), train(one, 2), train(three, 3));
      List<float[]> together = together(List.of(one, two, three));
      for (int i = 0; i < 3; i++) {
        assertArrayEquals(alone.get(i), together.get(i));
      }
    }
  }

  /// One model read and asked by several threads while it is open: calls take turns.
  @Test
  void aModel_answersSeveralThreads() throws Exception {
    Backends.requireNative();
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(NET).on(device);
        ExecutorService executor = Executors.newFixedThreadPool(4)) {
      float[] inputs = Pictures.normal(5 * 192, 1);
      float[] expected = trainer.model().predict(inputs);
      List<Future<float[]>> answers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        answers.add(executor.submit(() -> trainer.model().predict(inputs)));
      }
      for (Future<float[]> answer : answers) {
        assertArrayEquals(expected, answer.get());
      }
    }
  }

  /// The losses of a trainer with seed i+1 on device i, all at the same time.
  private static List<float[]> together(List<Device> devices) throws Exception {
    try (ExecutorService executor = Executors.newFixedThreadPool(devices.size())) {
      List<Future<float[]>> runs = new ArrayList<>();
      for (int i = 0; i < devices.size(); i++) {
        Device device = devices.get(i);
        long seed = 1L + i;
        runs.add(executor.submit(() -> train(device, seed)));
      }
      List<float[]> losses = new ArrayList<>();
      for (Future<float[]> run : runs) {
        losses.add(run.get());
      }
      return losses;
    }
  }

  private static float[] train(Device device, long seed) {
    Dataset data = Pictures.noisy(200, new ImageShape(8, 8, 3), 1, 1);
    try (Trainer trainer =
        Trainer.of(NET).on(device).optimizer(Optimizer.sgd(0.02).momentum(0.9)).seed(seed)) {
      return trainer.fit(data.batch(10), data.batch(64), Span.epochs(3)).losses();
    }
  }
}
