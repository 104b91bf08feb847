package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.ffi.probe.ChildJvm;
import org.junit.jupiter.api.Test;

/// Tensors larger than what lies between them and an array.
class CopyTest {
  /// Java has as much direct memory as heap unless it is told otherwise, and no buffer beyond 2
  /// GiB.
  @Test
  void largeTensorsAreCopiedInPieces() throws Exception {
    assertEquals(
        """
        ints equal
        floats equal
        floats as doubles equal
        doubles equal
        doubles as floats equal
        bf16 equal
        """,
        new ChildJvm()
            .bindingsOnClassPath()
            .with("-XX:MaxDirectMemorySize=8m")
            .run(CopyProbe.class));
  }
}
