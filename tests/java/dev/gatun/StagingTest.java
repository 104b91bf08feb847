package dev.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.backend.Backend;
import dev.gatun.graph.Graph;
import dev.gatun.graph.TensorType;
import dev.gatun.suite.Backends;
import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Memory that Java and a program share.
class StagingTest {
  /// Refused before memory is taken, and told in words of the one who chose the batch.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void batchesThatTheHostCannotSeeAreRefused(Backends backends) {
    Backend backend = backends.backend();
    long allocations = backend.memoryUse().allocations();
    assertRefused(
        "[batch] the host can see 2147483647 bytes at most, but a batch and its results take"
            + " 2516582400; take smaller batches",
        600,
        staging -> staging.allocate(backend));
    assertRefused(
        "[batch] the host can see 2147483647 bytes at most, but 2 batches and their results take 2"
            + " x 1258291200; take smaller batches, or fewer steps a call",
        300,
        staging -> staging.allocate(backend, 2));
    assertEquals(allocations, backend.memoryUse().allocations());
  }

  private static void assertRefused(String message, int batch, Consumer<Staging> allocation) {
    try (Staging staging = new Staging()) {
      staging.place(new Graph().leaf("x", new TensorType(DType.F32, Shape.of(batch, 1 << 20))));
      OutOfDeviceMemoryException e =
          assertThrows(OutOfDeviceMemoryException.class, () -> allocation.accept(staging));
      assertEquals(message, e.getMessage());
    }
  }
}
