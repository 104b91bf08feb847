package dev.gatun.suite;

import dev.gatun.DType;
import dev.gatun.spec.Case;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Every case gives the same on `reference` and `cpu`, up to its row's tolerance, and writes its
/// outputs and nothing else.
class BackendsAgreeTest {
  // Different, so that an element which nobody writes does not agree by chance.
  private static final int POISON = 0x5A;
  private static final int OTHER_POISON = 0xA5;

  @TestFactory
  Stream<DynamicTest> referenceWritesItsOutputsOnly() {
    return Cases.each(
        example -> {
          try (Trial first = new Trial(Backends.REFERENCE.backend(), example, 0, POISON);
              Trial second = new Trial(Backends.REFERENCE.backend(), example, 1, OTHER_POISON)) {
            first.run().checkNothingElseWritten();
            second.run().checkNothingElseWritten();
            second.checkSameBits(first, "in other memory");
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> cpuAgreesWithReference() {
    return Cases.each(
        example -> {
          try (Trial expected = new Trial(Backends.REFERENCE.backend(), example, 0, POISON);
              Trial actual = new Trial(Backends.CPU.backend(), example, 0, OTHER_POISON)) {
            expected.run();
            actual.run().checkNothingElseWritten();
            for (int k = 0; k < expected.outputCount(); k++) {
              compare(example, k, expected.output(k).elements(), actual.output(k).elements());
            }
          }
        });
  }

  /// Slabs put tensors at any element, so alignment must not matter, not even for the last bit.
  @TestFactory
  Stream<DynamicTest> cpuDoesNotDependOnAlignment() {
    return Cases.each(
        example -> {
          try (Trial aligned = new Trial(Backends.CPU.backend(), example, 0, POISON);
              Trial shifted = new Trial(Backends.CPU.backend(), example, 1, OTHER_POISON)) {
            aligned.run();
            shifted.run().checkNothingElseWritten();
            shifted.checkSameBits(aligned, "one element further");
          }
        });
  }

  static void compare(Case example, int output, double[] expected, double[] actual) {
    DType dtype = example.outputs().get(output).dtype();
    double unit =
        switch (dtype) {
          case F32 -> Math.ulp(1f);
          case F64 -> Math.ulp(1d);
          case BF16 -> 0x1p-7;
          case I32, I64, U8 -> 0;
        };
    // Kernels may flush what is smaller than the smallest normal number.
    double smallest =
        switch (dtype) {
          case F32, BF16 -> Float.MIN_NORMAL;
          case F64 -> Double.MIN_NORMAL;
          case I32, I64, U8 -> 0;
        };
    double ulps = example.row().ulps(dtype);
    double typical = rootMeanSquare(expected);
    for (int i = 0; i < expected.length; i++) {
      double allowed =
          ulps == 0 ? 0 : smallest + ulps * unit * Math.max(Math.abs(expected[i]), typical);
      boolean same =
          expected[i] == actual[i] || (Double.isNaN(expected[i]) && Double.isNaN(actual[i]));
      if (!same && !(Math.abs(expected[i] - actual[i]) <= allowed)) {
        throw new AssertionError(
            ("output %d, element %d: expected %s, found %s; they differ by %.1f units of"
                    + " rounding, allowed are %.1f")
                .formatted(
                    output,
                    i,
                    expected[i],
                    actual[i],
                    Math.abs(expected[i] - actual[i])
                        / (unit * Math.max(Math.abs(expected[i]), typical)),
                    ulps));
      }
    }
  }

  private static double rootMeanSquare(double[] elements) {
    return Math.sqrt(
        DoubleStream.of(elements).filter(Double::isFinite).map(x -> x * x).average().orElse(0));
  }
}
