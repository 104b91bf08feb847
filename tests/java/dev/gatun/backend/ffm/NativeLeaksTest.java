package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.ffi.probe.ChildJvm;
import org.junit.jupiter.api.Test;

/// What is forgotten is freed and reported, what is closed is not; in processes of their own, for
/// the counts are per process.
class NativeLeaksTest {
  @Test
  void forgottenObjects_areFreedAndReported() throws Exception {
    String output = run("off");
    assertTrue(output.contains("held while mapped: 24\n"), output);
    assertEquals(4, output.split("\nreport: ", -1).length - 1, output);
    assertTrue(output.contains("count 4\n"), output);
    for (String leak :
        new String[] {
          "memory of 4096 bytes (DEVICE)",
          "memory of 24 bytes (STAGING)",
          "program of 1 instructions",
          "backend cpu, 1 thread"
        }) {
      assertTrue(output.contains("report: " + leak), output);
      assertTrue(output.contains("WARNING: " + leak), output);
    }
    assertTrue(output.contains("Start Java with -Dgatun.leaks=trace"), output);
  }

  @Test
  void trace_tellsWhereTheyWereMade() throws Exception {
    String output = run("trace");
    for (String place : new String[] {"mapAndForget", "forget", "main"}) {
      assertTrue(output.contains("at dev.gatun.backend.ffm.LeakProbe." + place + "("), output);
    }
  }

  private static String run(String leaks) throws Exception {
    return new ChildJvm().withLibrary().with("-Dgatun.leaks=" + leaks).run(LeakProbe.class);
  }
}
