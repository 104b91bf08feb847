package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Leaks;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A forgotten tensor is freed and reported; a closed one is not.
@Isolated
class LeakTest {
  private final Logger logger = Logger.getLogger("dev.gatun.leaks");
  private final List<LogRecord> records = new CopyOnWriteArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          records.add(record);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
  }

  @AfterEach
  void stopListening() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
    System.clearProperty("gatun.leaks");
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aForgottenTensorIsReportedAndFreed(Backends backend) throws InterruptedException {
    Device device = backend.device();
    collectGarbage();
    long reported = Leaks.reported();
    long bytes = device.memoryUse().bytes();
    forget(device);
    await(() -> Leaks.reported() > reported && !records.isEmpty());
    report(
        "never closed: tensor f32 (12, 345); run with -Dgatun.leaks=trace to see where it was"
            + " made");
    await(() -> device.memoryUse().bytes() == bytes);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void theTraceShowsWhereItWasMade(Backends backend) throws InterruptedException {
    System.setProperty("gatun.leaks", "trace");
    long reported = Leaks.reported();
    forget(backend.device());
    await(() -> Leaks.reported() > reported && !records.isEmpty());
    LogRecord report = report("never closed: tensor f32 (12, 345)");
    assertTrue(
        Arrays.stream(report.getThrown().getStackTrace())
            .anyMatch(frame -> frame.getMethodName().equals("forget")));
  }

  @Test
  void aForgottenDeviceIsReportedToo() throws InterruptedException {
    Backends.requireNative();
    collectGarbage();
    long reported = Leaks.reported();
    assertEquals(1, Device.cpu(1).threads());
    await(() -> Leaks.reported() > reported);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void closedTensorsAreNotReported(Backends backend) throws InterruptedException {
    Device device = backend.device();
    collectGarbage();
    long reported = Leaks.reported();
    for (int i = 0; i < 100; i++) {
      try (Scope scope = Scope.open()) {
        Tensor kept = scope.keep(Tensor.zeros(device, DType.F32, 10).plus(1));
        kept.close();
      }
    }
    collectGarbage();
    assertEquals(reported, Leaks.reported());
  }

  /// The one report of this text.
  private LogRecord report(String message) {
    List<LogRecord> found =
        records.stream().filter(record -> record.getMessage().equals(message)).toList();
    assertEquals(
        1, found.size(), () -> records.stream().map(LogRecord::getMessage).toList().toString());
    return found.getFirst();
  }

  /// In a method of its own, so that no frame holds on to the tensor.
  private static void forget(Device device) {
    Tensor forgotten = Tensor.zeros(device, DType.F32, 12, 345);
    assertEquals(12, forgotten.shape().dim(0));
  }

  /// Until a tensor that was certainly forgotten would have been found: twice around, and a moment
  /// for the Cleaner's thread.
  private static void collectGarbage() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(20);
    }
  }

  private interface Condition {
    boolean holds();
  }

  private static void await(Condition condition) throws InterruptedException {
    long end = System.nanoTime() + 10_000_000_000L;
    while (!condition.holds() && System.nanoTime() < end) {
      System.gc();
      Thread.sleep(10);
    }
    assertTrue(condition.holds(), "nothing happened within 10 seconds");
  }
}
