package dev.gatun.train;

import static dev.gatun.Optimizer.sgd;

import dev.gatun.Device;
import dev.gatun.Leaks;
import dev.gatun.Net;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.backend.ffm.NativeLeaks;
import dev.gatun.data.ImageShape;
import dev.gatun.ffi.Downcalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/// What is counted over a whole process: downcalls, resident memory, leaks. Prints `name value`
/// lines.
final class TrainerProbe {
  private static final int CHANNELS = 8;

  private TrainerProbe() {}

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "downcalls" -> downcalls();
      case "calls" -> calls();
      case "steps" -> steps(Integer.parseInt(arguments[1]));
      case "trainers" -> trainers(Integer.parseInt(arguments[1]));
      case "forgotten" -> forgotten();
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  /// The calls of 50 steps by hand, and of 50 steps in the middle of a fit with everything on.
  private static void downcalls() {
    float[] images = Pictures.normal(4 * 3072, 1);
    int[] labels = Pictures.labels(4, 10, 1);
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(ResNet.cifar(8, 10)).on(device).clipNorm(1)) {
      trainer.step(images, labels, 0.01);
      Map<String, Long> before = Downcalls.counts();
      for (int i = 0; i < 50; i++) {
        trainer.step(images, labels, 0.01);
      }
      System.out.println("step " + since(before));
    }
    Net net = Net.input(4, 4, 1).conv(4, 3).batchNorm().relu().flatten().dropout(0.5).dense(10);
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(net).on(device).clipNorm(1)) {
      fit(trainer);
    }
  }

  /// The same 50 steps of a fit, ten in a call.
  private static void calls() {
    Net net = Net.input(4, 4, 1).conv(4, 3).batchNorm().relu().flatten().dropout(0.5).dense(10);
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(net).on(device).clipNorm(1).resident().stepsPerCall(10)) {
      fit(trainer);
    }
  }

  private static void fit(Trainer trainer) {
    trainer.watch(
        new Watcher() {
          private Map<String, Long> before = Map.of();

          @Override
          public void step(Step step) {
            if (step.step() == 10) {
              before = Downcalls.counts();
            } else if (step.step() == 60) {
              System.out.println("fit " + since(before));
            }
          }
        });
    trainer.fit(Pictures.noisy(200, new ImageShape(4, 4, 1), 1, 1).batch(2), Span.steps(80));
  }

  private static Map<String, Long> since(Map<String, Long> before) {
    Map<String, Long> difference = new TreeMap<>();
    Downcalls.counts()
        .forEach(
            (function, count) -> {
              long more = count - before.getOrDefault(function, 0L);
              if (more != 0) {
                difference.put(function, more);
              }
            });
    return difference;
  }

  /// `count` steps of a tiny network, after some that let the JVM settle.
  private static void steps(int count) throws IOException {
    Net net =
        Net.input(4, 4, 1).conv(CHANNELS, 3).batchNorm().relu().flatten().dropout(0.1).dense(3);
    float[] images = Pictures.normal(4 * 16, 1);
    int[] labels = Pictures.labels(4, 3, 1);
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(net).on(device).optimizer(sgd(1).momentum(0.9))) {
      for (int i = 0; i < 2000; i++) {
        trainer.step(images, labels, 0.01);
      }
      Device.MemoryUse use = device.memoryUse();
      long resident = resident();
      for (int i = 0; i < count; i++) {
        trainer.step(images, labels, 0.01);
      }
      System.out.println("resident " + (resident() - resident));
      System.out.println("bytes " + (device.memoryUse().bytes() - use.bytes()));
      System.out.println("allocations " + (device.memoryUse().allocations() - use.allocations()));
    }
  }

  /// `count` trainers, each of which trains, evaluates and is closed.
  private static void trainers(int count) throws IOException {
    try (Device device = Device.cpu(2)) {
      for (int i = 0; i < 40; i++) {
        train(device);
      }
      long held = device.memoryUse().bytes();
      long resident = resident();
      long peak = 0;
      for (int i = 0; i < count; i++) {
        peak = Math.max(peak, train(device));
      }
      System.out.println("trainer " + peak);
      System.out.println("resident " + (resident() - resident));
      System.out.println("bytes " + (device.memoryUse().bytes() - held));
      System.out.println("threads " + Thread.getAllStackTraces().size());
      System.out.println("leaks " + Leaks.reported());
    }
  }

  private static long train(Device device) {
    Net net =
        Net.input(16, 16, 1)
            .conv(CHANNELS, 3)
            .batchNorm()
            .relu()
            .flatten()
            .dense(64)
            .relu()
            .dense(10);
    var data = Pictures.noisy(64, new ImageShape(16, 16, 1), 1, 1).batch(32);
    try (Trainer trainer = Trainer.of(net).on(device).optimizer(sgd(0.01).momentum(0.9))) {
      trainer.fit(data, data, Span.epochs(1));
      return device.memoryUse().bytes();
    }
  }

  /// A trainer that is dropped is reported once, and its memory comes back; one that was closed, or
  /// never did anything, is not.
  private static void forgotten() throws InterruptedException {
    try (Device device = Device.cpu(1)) {
      train(device);
      drop(device);
      for (int i = 0; i < 400 && Leaks.reported() == 0; i++) {
        System.gc();
        Thread.sleep(5);
      }
      for (int i = 0; i < 400 && device.memoryUse().bytes() > 0; i++) {
        System.gc();
        Thread.sleep(5);
      }
      System.out.println("reported " + Leaks.reported());
      System.out.println("native " + NativeLeaks.count());
      System.out.println("bytes " + device.memoryUse().bytes());
    }
  }

  private static void drop(Device device) {
    Trainer trainer = Trainer.of(Net.input(3).dense(2)).on(device);
    trainer.step(new float[3], new int[1], 0.1);
    System.out.println("held " + device.memoryUse().bytes());
    Trainer.of(Net.input(3)).on(device).seed(2);
  }

  /// The resident set of this process in bytes.
  private static long resident() throws IOException {
    System.gc();
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    }
    throw new IOException("no VmRSS");
  }
}
