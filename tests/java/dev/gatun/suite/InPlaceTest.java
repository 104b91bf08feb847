package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.spec.Case;
import dev.gatun.spec.OpRow.InPlace;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Where an op says, or the header says, that an output may lie over an input, the result is the
/// same there.
class InPlaceTest {
  @TestFactory
  Stream<DynamicTest> inPlaceGivesTheSameBits() {
    Stream<Case> cases =
        Cases.selected().filter(example -> !example.row().inPlace(example).isEmpty());
    return Cases.onEachBackend(cases, (backends, example) -> checkAll(backends.backend(), example));
  }

  /// Fails unless each output that may lie over an input has the same bits there.
  static void checkAll(Backend backend, Case example) {
    for (InPlace pair : example.row().inPlace(example)) {
      check(backend, example, pair);
    }
  }

  private static void check(Backend backend, Case example, InPlace pair) {
    try (Trial apart = new Trial(backend, example);
        Trial over = new Trial(backend, example);
        View shared = over.input(pair.input()).alias()) {
      apart.run();
      List<View> outputs = new ArrayList<>(over.outputs());
      outputs.set(pair.output(), shared);
      example.op().lower(backend, outputs, over.inputs());
      for (int k = 0; k < apart.outputCount(); k++) {
        Guarded stored = k == pair.output() ? over.input(pair.input()) : over.output(k);
        stored.checkGuards("output " + k);
        assertArrayEquals(apart.output(k).bytes(), stored.bytes(), "output " + k + " with " + pair);
      }
    }
  }
}
