package dev.gatun.bench.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkerProcessTest {
  @TempDir private Path folder;

  private WorkerProcess start() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String main = FakeSide.class.getName();
    String classPath = System.getProperty("java.class.path");
    return new WorkerProcess(
        "fake",
        List.of(java, "--class-path", classPath, main),
        Map.of(),
        folder.resolve("log").toFile());
  }

  @Test
  void workIsDoneInTheProcess() throws Exception {
    try (WorkerProcess process = start()) {
      assertEquals("a fake", process.description());
      Contender.Ready ready = process.prepare(new Work.Sgemm(256));
      assertArrayEquals(new float[] {256, 1}, ready.results());
      double[] times = process.measure(0.01);
      assertTrue(times.length > 0);
      for (double time : times) {
        assertTrue(time >= 1 && time < 1000, "expected about 1 ms, found " + time);
      }
      process.release();
    }
  }

  @Test
  void whatItCannotDoIsSaid() throws Exception {
    try (WorkerProcess process = start()) {
      UnsupportedOperationException refusal =
          assertThrows(
              UnsupportedOperationException.class,
              () -> process.prepare(new Work.LayerNorm(8192, 1024, false)));
      assertEquals("only sgemm", refusal.getMessage());
    }
  }

  @Test
  void afterADeathThereIsAnotherProcess() throws Exception {
    try (WorkerProcess process = start()) {
      UnsupportedOperationException death =
          assertThrows(
              UnsupportedOperationException.class,
              () -> process.prepare(new Work.Dropout(64 << 20)));
      assertTrue(String.valueOf(death.getMessage()).contains("the process ended"));
      process.release();
      assertEquals(256, process.prepare(new Work.Sgemm(256)).results()[0]);
    }
  }
}
