package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.gatun.Device;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Augmentation;
import dev.gatun.data.ImageShape;
import dev.gatun.ffi.probe.ChildJvm;
import dev.gatun.suite.Backends;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A step after warm-up allocates nothing natively and next to nothing in Java, and is one
/// downcall.
class CostTest {
  private static final long MOST_BYTES = 1024;
  private static final int STEPS = 100;

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aStep_allocatesNothingOnTheDevice(Backends backend) {
    Device device = backend.device();
    float[] images = Pictures.normal(2 * 3072, 1);
    int[] labels = Pictures.labels(2, 10, 1);
    try (Trainer trainer = Trainer.of(ResNet.cifar(8, 10)).on(device).clipNorm(1)) {
      trainer.step(images, labels, 0.01);
      Device.MemoryUse before = device.memoryUse();
      for (int i = 0; i < 5; i++) {
        trainer.step(images, labels, 0.01);
      }
      assertEquals(before, device.memoryUse());
    }
  }

  @Test
  void aStep_allocatesHardlyAnythingInJava() {
    Device device = Backends.CPU.device();
    float[] images = Pictures.normal(4 * 192, 1);
    int[] labels = Pictures.labels(4, 10, 1);
    Net net = Net.input(8, 8, 3).conv(4, 3).batchNorm().relu().flatten().dropout(0.5).dense(10);
    try (Trainer trainer = Trainer.of(net).on(device).clipNorm(1)) {
      for (int i = 0; i < STEPS; i++) {
        trainer.step(images, labels, 0.01);
      }
      ThreadMXBean threads = threads();
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < STEPS; i++) {
        trainer.step(images, labels, 0.01);
      }
      long bytes = (threads.getCurrentThreadAllocatedBytes() - before) / STEPS;
      assertTrue(bytes < MOST_BYTES, bytes + " bytes a step");
    }
  }

  /// All threads together: the loader's augment and standardise meanwhile.
  @Test
  void aFit_allocatesHardlyAnythingPerStep() {
    Device device = Backends.CPU.device();
    Net net = Net.input(8, 8, 3).conv(4, 3).batchNorm().relu().flatten().dropout(0.5).dense(10);
    ThreadMXBean threads = threads();
    long[] marks = new long[4];
    Watcher marker =
        new Watcher() {
          @Override
          public void step(Step step) {
            int place = (int) step.step() / STEPS - 2;
            if (step.step() % STEPS == 0 && (place == 0 || place == 1)) {
              marks[place] = threads.getTotalThreadAllocatedBytes();
              marks[2 + place] = device.memoryUse().allocations();
            }
          }
        };
    try (Trainer trainer =
        Trainer.of(net)
            .on(device)
            .optimizer(Optimizer.sgd(0.01).nesterov(0.9))
            .augment(
                Augmentation.pad(1), Augmentation.randomCrop(8, 8), Augmentation.flipHorizontal())
            .watch(marker)) {
      trainer.fit(
          Pictures.noisy(40, new ImageShape(8, 8, 3), 1, 1).batch(4), Span.steps(3 * STEPS + 1));
    }
    long bytes = (marks[1] - marks[0]) / STEPS;
    assertTrue(marks[0] > 0 && bytes < MOST_BYTES, bytes + " bytes a step");
    assertEquals(marks[2], marks[3], "native allocations");
  }

  @Test
  void aStep_isOneDowncall() throws Exception {
    Backends.requireNative();
    String output =
        new ChildJvm()
            .withLibrary()
            .with("-Dgatun.downcalls=count")
            .run(TrainerProbe.class, "downcalls");
    assertEquals(
        List.of("step {gt_program_run=50}", "fit {gt_program_run=50}"), output.lines().toList());
  }

  private static ThreadMXBean threads() {
    return (ThreadMXBean) ManagementFactory.getThreadMXBean();
  }
}
