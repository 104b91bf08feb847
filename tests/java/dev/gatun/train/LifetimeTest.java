package dev.gatun.train;

import static dev.gatun.train.Messages.illegalState;
import static dev.gatun.train.Messages.message;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.Device;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Batches;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Standardizer;
import dev.gatun.ffi.probe.ChildJvm;
import dev.gatun.suite.Backends;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Who closes what, when, and what happens after.
class LifetimeTest {
  private static final Net NET = Net.input(2, 2, 1).flatten().dense(10);
  private static final Batches DATA = Pictures.noisy(40, new ImageShape(2, 2, 1), 1, 1).batch(10);

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aClosedTrainer_refuses(Backends backend) {
    try (Device device = open(backend)) {
      Trainer trainer = Trainer.of(NET).on(device).preprocess(Standardizer.scale(1));
      step(trainer);
      trainer.evaluate(DATA);
      Model model = trainer.model();
      model.predict(new float[4]);
      assertTrue(device.memoryUse().bytes() > 0);
      trainer.close();
      trainer.close();
      assertEquals(0, device.memoryUse().bytes());
      illegalState("the trainer is closed", () -> step(trainer));
      illegalState("the trainer is closed", () -> trainer.fit(DATA, Span.epochs(1)));
      illegalState("the trainer is closed", () -> trainer.evaluate(DATA));
      illegalState("the trainer is closed", trainer::model);
      String text = "the model of 50 parameters on " + backend + " is closed";
      illegalState(text, () -> model.read("dense0.bias"));
      illegalState(text, () -> model.write("dense0.bias", new float[10]));
      illegalState(text, () -> model.predict(new float[4]));
      model.close();
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aClosedModel_refuses_andSoDoesItsTrainer(Backends backend) {
    String text = "the model of 50 parameters on " + backend + " is closed";
    try (Device device = open(backend)) {
      Model model = Model.of(NET, device, 1);
      model.close();
      model.close();
      illegalState(text, () -> model.read("dense0.bias"));
      try (Trainer trainer = Trainer.of(NET).on(device).preprocess(Standardizer.scale(1))) {
        step(trainer);
        trainer.evaluate(DATA);
        trainer.model().close();
        illegalState(text, () -> step(trainer));
        illegalState(text, () -> trainer.fit(DATA, Span.epochs(1)));
        illegalState(text, () -> trainer.evaluate(DATA));
      }
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  /// What is there keeps working after its device is closed; nothing new can be made.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aDeviceClosedFirst_leavesWhatIsThere(Backends backend) {
    Device device = open(backend);
    try (Trainer trainer = Trainer.of(NET).on(device)) {
      float before = step(trainer);
      device.close();
      device.close();
      assertTrue(step(trainer) < before);
      assertEquals(10, trainer.model().read("dense0.bias").length);
      assertTrue(
          message(IllegalStateException.class, () -> trainer.model().predict(new float[4]))
              .endsWith(" is closed"));
    }
    String owner = "\\[allocate\\] .*backend.* is closed";
    Trainer late = Trainer.of(NET).on(device);
    String message = message(IllegalStateException.class, () -> step(late));
    assertTrue(message.matches(owner), message);
    late.close();
  }

  @Test
  void aTrainer_closesTheDeviceItOpened() {
    Backends.requireNative();
    Trainer trainer = Trainer.of(NET);
    step(trainer);
    Device device = trainer.model().device();
    assertEquals("cpu", device.name());
    trainer.close();
    assertTrue(message(IllegalStateException.class, device::memoryUse).endsWith(" is closed"));
  }

  @Test
  void aTrainer_leavesTheDeviceItWasGiven() {
    try (Device device = Device.reference()) {
      Trainer.of(NET).on(device).close();
      try (Trainer trainer = Trainer.of(NET).on(device)) {
        step(trainer);
      }
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  /// A watcher's exception ends the run and reaches the caller; the loader's threads end, and the
  /// trainer can go on, or be closed.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aWatchersException_leavesATrainerThatWorks(Backends backend) {
    try (Device device = open(backend)) {
      Trainer trainer = Trainer.of(NET).on(device).loaderThreads(2);
      AtomicReference<String> failing = new AtomicReference<>("");
      trainer.watch(
          new Watcher() {
            @Override
            public void start(Start start) {
              fail("start");
            }

            @Override
            public void step(Step step) {
              fail("step");
            }

            @Override
            public void epoch(dev.gatun.History.Epoch epoch) {
              fail("epoch");
            }

            private void fail(String where) {
              if (failing.get().equals(where)) {
                throw new UnsupportedOperationException("by the watcher's " + where);
              }
            }
          });
      for (String where : List.of("start", "step", "epoch")) {
        failing.set(where);
        assertEquals(
            "by the watcher's " + where,
            message(
                UnsupportedOperationException.class,
                () -> trainer.fit(DATA, DATA, Span.epochs(1))));
        assertEquals(0, loaderThreads(), where);
      }
      failing.set("");
      assertNotNull(trainer.fit(DATA, DATA, Span.epochs(1)).test());
      failing.set("step");
      assertThrows(UnsupportedOperationException.class, () -> trainer.fit(DATA, Span.epochs(1)));
      trainer.close();
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aTrainerClosedByItsWatcher_endsTheRun(Backends backend) {
    try (Device device = open(backend)) {
      Trainer trainer = Trainer.of(NET).on(device);
      trainer.watch(
          new Watcher() {
            @Override
            public void step(Step step) {
              trainer.close();
            }
          });
      illegalState("the trainer is closed", () -> trainer.fit(DATA, Span.epochs(1)));
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  /// A run that cannot begin.
  @Test
  void aFailedRun_leavesNothingBehind() {
    Net other = Net.input(2, 2, 3).flatten().dense(10);
    try (Device device = Device.reference()) {
      try (Trainer trainer = Trainer.of(other).on(device)) {
        assertThrows(IllegalArgumentException.class, () -> trainer.fit(DATA, Span.epochs(1)));
      }
      try (Trainer trainer =
          Trainer.of(NET).on(device).loss((outputs, labels) -> outputs.times(outputs))) {
        assertThrows(IllegalArgumentException.class, () -> step(trainer));
        assertThrows(IllegalArgumentException.class, () -> step(trainer));
      }
      assertEquals(0, device.memoryUse().bytes());
      assertEquals(0, loaderThreads());
    }
  }

  /// 10,000 steps: a leak of 1 KiB a step would be 10 MB.
  @Test
  void tenThousandSteps_leaveMemoryFlat() throws Exception {
    Figures figures = probe("steps", "10000");
    assertEquals(0, figures.of("bytes"));
    assertEquals(0, figures.of("allocations"));
    assertTrue(figures.of("resident") < 4 << 20, figures::toString);
  }

  /// 100 trainers of 2.8 MB: one in eight that stays would be more than the process may grow, which
  /// it does by some MB while the native heap finds its size.
  @Test
  void aHundredTrainers_leaveMemoryFlat() throws Exception {
    Figures figures = probe("trainers", "100");
    assertTrue(figures.of("trainer") > 2_800_000, figures::toString);
    assertEquals(0, figures.of("bytes"));
    assertEquals(0, figures.of("leaks"));
    assertTrue(figures.of("threads") < 20, figures::toString);
    assertTrue(figures.of("resident") < 32 << 20, figures::toString);
  }

  @Test
  void aForgottenTrainer_isFreedAndReportedOnce() throws Exception {
    Figures figures = probe("forgotten");
    assertTrue(figures.of("held") > 0);
    assertEquals(0, figures.of("bytes"));
    assertEquals(1, figures.of("reported"));
    assertEquals(0, figures.of("native"));
  }

  /// The heap is touched beforehand and the compiler kept small, so that what the process takes on
  /// is the library's.
  private static Figures probe(String... arguments) throws Exception {
    Backends.requireNative();
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "no /proc");
    String output =
        new ChildJvm()
            .withLibrary()
            .with(
                "-Xms64m",
                "-Xmx64m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1")
            .run(TrainerProbe.class, arguments);
    if (arguments[0].equals("forgotten")) {
      assertTrue(
          output.contains(
              "WARNING: never closed: trainer; run with -Dgatun.leaks=trace to see where it was"
                  + " made"),
          output);
    }
    Map<String, Long> figures = new HashMap<>();
    output
        .lines()
        .filter(line -> line.matches("[a-z]+ -?\\d+"))
        .forEach(
            line -> {
              String[] parts = line.split(" ", -1);
              figures.put(parts[0], Long.valueOf(parts[1]));
            });
    return new Figures(figures);
  }

  private record Figures(Map<String, Long> values) {
    long of(String name) {
      return Objects.requireNonNull(values.get(name), name);
    }
  }

  private static Device open(Backends backend) {
    if (backend == Backends.REFERENCE) {
      return Device.reference();
    }
    Backends.requireNative();
    return Device.cpu(2);
  }

  private static float step(Trainer trainer) {
    return trainer.step(new float[] {1, -1, 0.5f, 2}, new int[] {3}, 0.1);
  }

  private static long loaderThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.isAlive() && thread.getName().startsWith("gatun-loader"))
        .count();
  }
}
