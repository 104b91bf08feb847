package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What a tensor looks like.
class PrintTest {
  @ParameterizedTest
  @EnumSource(Backends.class)
  void fewElementsAreShown(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      assertEquals(
          "f32 (2, 2) on " + backend + " [1.0, 0.1, -3.0, NaN]",
          Tensor.of(device, new float[] {1, 0.1f, -3, Float.NaN}, 2, 2).toString());
      assertEquals(
          "i32 (3) on " + backend + " [1, 2, 3]",
          Tensor.of(device, new int[] {1, 2, 3}, 3).toString());
      assertEquals("f64 () on " + backend + " [7.0]", Tensor.full(device, DType.F64, 7).toString());
      assertEquals(
          "f32 (0, 4) on " + backend + " []", Tensor.zeros(device, DType.F32, 0, 4).toString());
      assertEquals("f32 (17) on " + backend, Tensor.zeros(device, DType.F32, 17).toString());
    }
  }

  @Test
  void aClosedTensorSaysSo() {
    Tensor x = Tensor.zeros(Backends.REFERENCE.device(), DType.F32, 2, 3);
    x.close();
    assertEquals("f32 (2, 3) on reference, closed", x.toString());
  }
}
