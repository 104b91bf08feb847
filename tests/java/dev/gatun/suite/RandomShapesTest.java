package dev.gatun.suite;

import dev.gatun.spec.Case;
import dev.gatun.spec.RandomRows;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.AssertionFailedError;

/// Shapes and attributes that nobody has chosen: `cpu` agrees with `reference`, and neither the
/// number of threads nor the place of a tensor changes a bit. `-Drandom.rows=500 -Drandom.seed=7`
/// tries more, and others.
class RandomShapesTest {
  private static final int POISON = 0x5A;
  private static final int OTHER_POISON = 0xA5;
  private static final int ROWS = Integer.getInteger("random.rows", 30);
  private static final long SEED = Long.getLong("random.seed", 1);

  @TestFactory
  Stream<DynamicTest> cpuAgreesWithReference() {
    return Arrays.stream(RandomRows.Family.values())
        .flatMap(
            family ->
                IntStream.range(0, ROWS)
                    .mapToObj(
                        i ->
                            family.draw(
                                new SplittableRandom(
                                    SEED * 1_000_003 + i * 31L + family.name().hashCode()))))
        .flatMap(row -> row.cases().stream())
        .map(example -> DynamicTest.dynamicTest(example.id(), () -> named(example)));
  }

  private static void named(Case example) {
    try {
      check(example);
    } catch (RuntimeException | AssertionError e) {
      throw new AssertionFailedError(e.getMessage() + "\n  in " + example.id(), e);
    }
  }

  private static void check(Case example) {
    try (Trial expected = new Trial(Backends.REFERENCE.backend(), example, 0, POISON);
        Trial actual = new Trial(Backends.CPU.backend(), example, 0, OTHER_POISON);
        Trial shifted = new Trial(Backends.cpu(3), example, 1, POISON)) {
      actual.run().checkNothingElseWritten();
      shifted.run().checkNothingElseWritten();
      shifted.checkSameBits(actual, "with 3 threads, one element further");
      expected.run();
      for (int k = 0; k < expected.outputCount(); k++) {
        BackendsAgreeTest.compare(
            example, k, expected.output(k).elements(), actual.output(k).elements());
      }
    }
  }
}
