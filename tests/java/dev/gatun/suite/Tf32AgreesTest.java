package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Products;
import dev.gatun.backend.Program;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import dev.gatun.spec.Case;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The op table's products of F32 in TF32. On CUDA, which is the emulation unless
/// `GATUN_CUDA_LIBRARY` names another library, factors are rounded: by 2⁻¹¹ of themselves, so terms
/// by 2⁻¹⁰ and a little. On the other backends nothing changes.
class Tf32AgreesTest {
  private static final int POISON = 0x5A;
  // Twice 2^-11, and their product.
  private static final double OF_TERMS = 0x1p-10 + 0x1p-22;
  // The emulation runs each thread of a GPU.
  private static final long MOST_ELEMENTS = 20_000;

  private static final class Cuda {
    static final Backend BACKEND = FfmBackend.cuda(0);
  }

  @TestFactory
  Stream<DynamicTest> cudaIsOffByTheRoundingOfFactors() {
    return Cases.each(
        Tf32AgreesTest::agrees,
        example ->
            isProduct(example.op())
                && example.dtype() == DType.F32
                && Stream.concat(example.inputs().stream(), example.outputs().stream())
                    .map(TensorType::shape)
                    .allMatch(shape -> shape.count() <= MOST_ELEMENTS));
  }

  @TestFactory
  Stream<DynamicTest> cpuMultipliesInF32() {
    return Cases.each(
        example -> {
          Backend cpu = Backends.CPU.backend();
          try (Trial plain = new Trial(cpu, example);
              Trial asked = new Trial(cpu, example);
              Program before = cpu.record(plain::run);
              Program after =
                  cpu.record(
                      recorder -> {
                        recorder.multiplyIn(Products.TF32);
                        asked.run(recorder);
                      })) {
            before.run();
            after.run();
            asked.checkSameBits(plain, "in TF32");
          }
        },
        example -> isProduct(example.op()));
  }

  private static boolean isProduct(Op op) {
    return op instanceof MatMul
        || op instanceof Conv2d
        || op instanceof Conv2d.BackwardData
        || op instanceof Conv2d.BackwardWeights;
  }

  /// The result on the inputs' sizes is the size of its terms, and of what is added to them; no
  /// epilogue makes an error larger. Moments and sums are of the result that was stored, so output
  /// 0 is all that products make.
  private static void agrees(Case example) {
    Backends.requireNative();
    try (Trial exact = new Trial(Backends.REFERENCE.backend(), example);
        Trial sizes = new Trial(Backends.REFERENCE.backend(), example)) {
      for (int i = 0; i < example.inputs().size(); i++) {
        double[] elements = example.elements(i);
        for (int k = 0; k < elements.length; k++) {
          elements[k] = Math.abs(elements[k]);
        }
        sizes.input(i).store(elements);
      }
      double[] expected = exact.run().output(0).elements();
      double[] size = sizes.run().output(0).elements();
      for (int shift = 0; shift <= 1; shift++) {
        agrees(example, expected, size, shift);
      }
    }
  }

  private static void agrees(Case example, double[] expected, double[] size, int shift) {
    double rest = example.row().ulps(DType.F32) * Math.ulp(1f);
    try (Trial kept = new Trial(Cuda.BACKEND, example, shift, POISON);
        Program program =
            Cuda.BACKEND.record(
                recorder -> {
                  recorder.multiplyIn(Products.TF32);
                  kept.run(recorder);
                })) {
      program.run();
      kept.checkNothingElseWritten();
      double[] actual = kept.output(0).elements();
      for (int k = 0; k < expected.length; k++) {
        double allowed = (OF_TERMS + rest) * size[k];
        boolean same =
            expected[k] == actual[k] || (Double.isNaN(expected[k]) && Double.isNaN(actual[k]));
        int at = k;
        assertTrue(
            same || Math.abs(actual[k] - expected[k]) <= allowed,
            () ->
                "element %d, shifted by %d: expected %s, found %s, allowed are %s"
                    .formatted(at, shift, expected[at], actual[at], allowed));
      }
    }
  }
}
