package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.gatun.Device;
import dev.gatun.DeviceUnavailableException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Program;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.graph.TensorType;
import dev.gatun.spec.Case;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// The op table on a CUDA device, which is the emulation unless `GATUN_CUDA_LIBRARY` names another
/// library. Cases of instructions that CUDA does not have yet are skipped, and so counted.
class CudaAgreesTest {
  private static final int POISON = 0x5A;
  private static final int OTHER_POISON = 0xA5;
  // The emulation runs each thread of a GPU.
  private static final long MOST_ELEMENTS = 20_000;

  private static final class Cuda {
    static final Backend BACKEND = FfmBackend.cuda(0);
  }

  @TestFactory
  Stream<DynamicTest> cudaAgreesWithReference() {
    return Cases.each(CudaAgreesTest::agrees, CudaAgreesTest::isSmall);
  }

  private static boolean isSmall(Case example) {
    return Stream.concat(example.inputs().stream(), example.outputs().stream())
        .map(TensorType::shape)
        .allMatch(shape -> shape.count() <= MOST_ELEMENTS);
  }

  @TestFactory
  Stream<DynamicTest> cudaWorksInPlace() {
    return Cases.each(
        CudaAgreesTest::worksInPlace,
        example -> isSmall(example) && !example.row().inPlace(example).isEmpty());
  }

  /// With tensors that begin where packs of elements may, and with others: kernels differ.
  private static void agrees(Case example) {
    Backends.requireNative();
    try (Trial expected = new Trial(Backends.REFERENCE.backend(), example, 0, POISON)) {
      expected.run();
      for (int shift = 0; shift <= 1; shift++) {
        agrees(example, expected, shift);
      }
    }
  }

  private static void agrees(Case example, Trial expected, int shift) {
    try (Trial actual = new Trial(Cuda.BACKEND, example, shift, OTHER_POISON);
        Trial kept = new Trial(Cuda.BACKEND, example, shift, POISON)) {
      skipIfMissing(() -> actual.run().checkNothingElseWritten());
      for (int k = 0; k < expected.outputCount(); k++) {
        BackendsAgreeTest.compare(
            example, k, expected.output(k).elements(), actual.output(k).elements());
      }
      try (Program program = Cuda.BACKEND.record(kept::run)) {
        kept.checkNothingWritten();
        program.run();
        kept.checkNothingElseWritten();
        kept.checkSameBits(actual, "recorded");
      }
    }
  }

  private static void worksInPlace(Case example) {
    Backends.requireNative();
    skipIfMissing(() -> InPlaceTest.checkAll(Cuda.BACKEND, example));
  }

  private static void skipIfMissing(Runnable check) {
    try {
      check.run();
    } catch (UnsupportedOperationException e) {
      if (String.valueOf(e.getMessage()).endsWith("not on CUDA yet")) {
        abort(e.getMessage());
      }
      throw e;
    }
  }

  @Test
  void deviceComputes() {
    Backends.requireNative();
    try (Device device = Device.cuda(0);
        Tensor x = Tensor.of(device, new double[] {1, 2, 3, 4}, 2, 2);
        Tensor y = x.matmul(x)) {
      assertEquals("cuda", device.name());
      assertTrue(device.description().startsWith("cuda 0, "), device.description());
      assertEquals(22, y.toDoubleArray()[3]);
    }
  }

  @Test
  void saysWhyADeviceIsUnavailable() {
    Backends.requireNative();
    DeviceUnavailableException e =
        assertThrows(DeviceUnavailableException.class, () -> Device.cuda(1000));
    assertTrue(String.valueOf(e.getMessage()).contains("there is no CUDA device 1000"));
    assertThrows(IllegalArgumentException.class, () -> Device.cuda(-1));
  }
}
