package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.Scope;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Wrong uses say what was wrong, what was expected and what was found.
class MisuseTest {
  @ParameterizedTest
  @EnumSource(Backends.class)
  void everyUseAfterCloseNamesTheTensor(Backends backend) {
    Device device = backend.device();
    List<Consumer<Tensor>> uses =
        List.of(
            Tensor::toFloatArray,
            Tensor::toDoubleArray,
            Tensor::exp,
            Tensor::sum,
            t -> t.reshape(6),
            t -> t.plus(1),
            t -> t.as(DType.F64));
    Tensor real = Tensor.zeros(device, DType.F32, 2, 3);
    real.close();
    for (Consumer<Tensor> use : uses) {
      closed("the tensor f32 (2, 3) is closed", () -> use.accept(real));
    }
    Tensor labels = Tensor.zeros(device, DType.I32, 4);
    labels.close();
    closed("the tensor i32 (4) is closed", labels::toIntArray);
    try (Tensor open = Tensor.zeros(device, DType.F32, 3)) {
      Tensor closed = Tensor.zeros(device, DType.F32, 2, 3);
      closed.close();
      closed("the tensor f32 (2, 3) is closed", () -> open.plus(closed));
      closed("the tensor f32 (2, 3) is closed", () -> closed.plus(open));
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void closingTwiceDoesNothing(Backends backend) {
    Device device = backend.device();
    long before = device.memoryUse().bytes();
    Tensor x = Tensor.zeros(device, DType.F32, 1000);
    assertEquals(before + 4000, device.memoryUse().bytes());
    x.close();
    x.close();
    assertEquals(before, device.memoryUse().bytes());
    assertEquals(4, x.dtype().bytes());
    assertEquals(1000, x.shape().count());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aRefusedOperationLeavesNoMemoryBehind(Backends backend) {
    Device device = backend.device();
    try (Tensor x = Tensor.zeros(device, DType.F32, 2, 3);
        Tensor y = Tensor.zeros(device, DType.F32, 2, 4)) {
      long before = device.memoryUse().bytes();
      assertThrows(ShapeException.class, () -> x.plus(y));
      assertThrows(ShapeException.class, () -> x.matmul(y));
      assertThrows(ShapeException.class, () -> x.softmaxCrossEntropy(y));
      assertEquals(before, device.memoryUse().bytes());
    }
  }

  @Test
  void tensorsOfTwoDevicesDoNotMix() {
    try (Device here = Device.reference();
        Device there = Device.reference();
        Tensor a = Tensor.zeros(here, DType.F32, 1);
        Tensor b = Tensor.zeros(there, DType.F32, 1)) {
      IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> a.plus(b));
      assertEquals(
          "[add] operands live on different devices: f32 (1) on reference, pure"
              + " Java, 1 thread, and reference, pure Java, 1 thread",
          e.getMessage());
    }
  }

  @Test
  void messagesTellExpectedAndFound() {
    Device device = Backends.REFERENCE.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.zeros(device, DType.F32, 2, 3);
      Tensor scalar = Tensor.zeros(device, DType.F32);
      Tensor labels = Tensor.of(device, new int[] {0, 1}, 2);
      refused(
          "[of] expected 6 elements for f32 (2, 3), found 5",
          () -> Tensor.of(device, new float[5], 2, 3));
      refused(
          "[add] shapes do not broadcast: f32 (2, 3) and f32 (2, 4)",
          () -> x.plus(Tensor.zeros(device, DType.F32, 2, 4)));
      refused(
          "[add] dtypes differ: f32 (2, 3) and f64 (3)",
          () -> x.plus(Tensor.zeros(device, DType.F64, 3)));
      refused("[matmul] inner dimensions differ: (2, 3) x (2, 3)", () -> x.matmul(x));
      refused(
          "[reshape] cannot make (7) (7 elements) of f32 (2, 3) (6 elements)", () -> x.reshape(7));
      refused("[reshape] cannot make [4, -1] of f32 (2, 3)", () -> x.reshape(4, -1));
      refused("[reshape] one extent at most may be -1, found [-1, -1]", () -> x.reshape(-1, -1));
      refused("[reshape] one extent at most may be -1, found [-2]", () -> x.reshape(-2));
      refused("[reduce] there is no axis 2 in a tensor of 2 axes", () -> x.sum(2));
      refused("[reduce] the axis 0 is named twice", () -> x.sum(0, 0));
      refused("[reduce] the axis -1 is named twice", () -> x.mean(1, -1));
      refused("[reduce] there is no axis -3 in a tensor of 2 axes", () -> x.sum(-3));
      refused(
          "[permute] expected a permutation of the 2 axes of f32 (2, 3), found [0]",
          () -> x.permute(0));
      refused(
          "[slice] expected 0 <= begin <= end <= 3 along axis 1 of f32 (2, 3), found begin 1 and"
              + " end 4",
          () -> x.slice(-1, 1, 4));
      refused(
          "[slice] there is no axis -3 in f32 (2, 3), which has 2 axes", () -> x.slice(-3, 0, 1));
      refused("[concat] there is no axis 0 in f32 (), which has 0 axes", () -> scalar.pad(0, 1, 1));
      refused(
          "[concat] expected input 1 to differ from f32 (2, 3) along axis 0 alone, found f32 (2)",
          () -> Tensor.concat(0, x, x.sum(1)));
      refused(
          "[concat] dtypes differ: i32 (2) and f32 (2)", () -> Tensor.concat(0, labels, x.sum(1)));
      assertThrows(IllegalArgumentException.class, () -> Tensor.concat(0));
      assertThrows(IllegalArgumentException.class, () -> x.pad(0, -1, 0));
      refused("[transpose] needs at least two axes, found f32 ()", scalar::transpose);
      refused("[flatten] needs at least one axis, found a scalar", scalar::flatten);
      refused("[argmax] expected a last axis with elements, found f32 ()", scalar::argmax);
      refused(
          "[globalAveragePool] expected [N,H,W,C] or [N,L,C], found f32 (2, 3)",
          x::globalAveragePool);
      refused("[conv2d] expected w [K,R,S,C/groups], found f32 (2, 3)", () -> x.conv2d(x, 1, 0));
      refused("[item] expected one element, found f32 (2, 3)", x::item);
      refused("[exp] expected a real tensor (f32, f64 or bf16), found i32 (2)", labels::exp);
      refused(
          "[softmax_cross_entropy] expected targets (2, 3), found f32 (3, 2)",
          () -> x.softmaxCrossEntropy(x.transpose()));
      UnsupportedOperationException e =
          assertThrows(UnsupportedOperationException.class, x::toIntArray);
      assertEquals(
          "[toIntArray] expected i32 or u8, found f32 (2, 3); convert it by as(DType.I32)",
          e.getMessage());
    }
  }

  @Test
  void moreElementsThanAnArrayHoldsAreRefused() {
    Device device = Backends.CPU.device();
    try (Tensor x = Tensor.zeros(device, DType.U8, 1L << 16, 1L << 15)) {
      Map<String, Runnable> copies =
          Map.of(
              "toFloatArray", x::toFloatArray,
              "toDoubleArray", x::toDoubleArray,
              "toIntArray", x::toIntArray);
      copies.forEach(
          (name, copy) -> {
            UnsupportedOperationException e =
                assertThrows(UnsupportedOperationException.class, copy::run);
            assertEquals(
                "[%s] an array holds at most 2147483647 elements, found u8 (65536, 32768)"
                    .formatted(name),
                e.getMessage());
          });
    } catch (OutOfDeviceMemoryException e) {
      Assumptions.abort("this machine does not give 2 GiB: " + e);
    }
  }

  @Test
  void aClosedDeviceMakesNothingNew() {
    Device device = Device.reference();
    try (Tensor x = Tensor.full(device, DType.F32, 3, 2)) {
      device.close();
      device.close();
      assertEquals(3, x.toFloatArray()[0]);
      assertThrows(IllegalStateException.class, () -> Tensor.zeros(device, DType.F32, 2));
      assertThrows(IllegalStateException.class, x::exp);
    }
  }

  private static void closed(String message, Runnable call) {
    assertEquals(message, assertThrows(IllegalStateException.class, call::run).getMessage());
  }

  private static void refused(String message, Runnable call) {
    assertEquals(message, assertThrows(ShapeException.class, call::run).getMessage());
  }
}
