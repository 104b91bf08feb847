package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.CompiledFunction;
import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorsFunction;
import dev.gatun.Scope;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A compiled function is the function.
class CompileTest {
  /// One dense layer after another, softmax, and what it is made of.
  private static List<Tensor> network(Tensor... in) {
    Tensor hidden = in[0].dense(in[1], in[2]).relu();
    Tensor logits = hidden.matmulTransposed(in[3]);
    return List.of(logits.softmax(), logits, hidden.mean(), logits.argmax());
  }

  private static Tensor[] inputs(Device device, int batch) {
    return new Tensor[] {
      Tensor.randn(device, 1, batch, 7),
      Tensor.randn(device, 2, 5, 7),
      Tensor.randn(device, 3, 5),
      Tensor.randn(device, 4, 3, 5)
    };
  }

  /// Fusion may round in another order, but no more than that.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void compiledEqualsEager(Backends backend) {
    try (Scope _ = Scope.open();
        CompiledFunction compiled = Functions.compile(CompileTest::network)) {
      for (int batch : new int[] {4, 1, 9, 4, 0}) {
        Tensor[] inputs = inputs(backend.device(), batch);
        List<Tensor> expected = network(inputs);
        List<Tensor> actual = compiled.apply(inputs);
        for (int k = 0; k < expected.size(); k++) {
          assertEquals(TensorType.of(expected.get(k)), TensorType.of(actual.get(k)));
          assertArrayEquals(
              expected.get(k).toFloatArray(), actual.get(k).toFloatArray(), 1e-5f, "result " + k);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void compiledGradientsEqualEagerOnes(Backends backend) {
    TensorsFunction gradient =
        Functions.valueAndGrad(in -> network(in).get(1).softmaxCrossEntropy(in[4]));
    try (Scope _ = Scope.open();
        CompiledFunction compiled = Functions.compile(gradient)) {
      Tensor[] four = inputs(backend.device(), 4);
      Tensor labels = Tensor.of(backend.device(), new int[] {0, 2, -1, 1}, 4);
      Tensor[] all = {four[0], four[1], four[2], four[3], labels};
      List<Tensor> expected = gradient.apply(all);
      List<Tensor> actual = compiled.apply(all);
      assertEquals(5, actual.size());
      for (int k = 0; k < expected.size(); k++) {
        assertArrayEquals(expected.get(k).toFloatArray(), actual.get(k).toFloatArray(), 1e-5f);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aFunctionIsTracedOncePerTypesOfInputs(Backends backend) {
    List<Integer> traces = new ArrayList<>();
    TensorsFunction counting =
        in -> {
          traces.add(traces.size());
          return List.of(in[0].times(2));
        };
    try (Scope _ = Scope.open();
        CompiledFunction compiled = Functions.compile(counting)) {
      Device device = backend.device();
      for (int round = 0; round < 3; round++) {
        compiled.apply(Tensor.zeros(device, DType.F32, 3));
        compiled.apply(Tensor.zeros(device, DType.F32, 4));
        compiled.apply(Tensor.zeros(device, DType.F64, 4));
      }
      assertEquals(3, traces.size());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void resultsMayBeInputsAliasesAndTheSameTensor(Backends backend) {
    try (Scope _ = Scope.open();
        CompiledFunction compiled =
            Functions.compile(
                in -> {
                  Tensor y = in[0].exp();
                  return List.of(in[0], in[0].reshape(2, 1), y, y, y.reshape(1, 2));
                })) {
      Tensor x = Tensor.of(backend.device(), new double[] {0, 1}, 2);
      List<Tensor> results = compiled.apply(x);
      double[] y = x.exp().toDoubleArray();
      for (int k = 0; k < 5; k++) {
        assertArrayEquals(k < 2 ? new double[] {0, 1} : y, results.get(k).toDoubleArray());
      }
      results.get(2).close();
      assertArrayEquals(y, results.get(3).toDoubleArray());
    }
  }

  /// Results of one call stay as they are in the next.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void resultsAreTheCallers(Backends backend) {
    try (Scope _ = Scope.open();
        CompiledFunction compiled = Functions.compile(in -> List.of(in[0].times(2)))) {
      Tensor first = compiled.apply(Tensor.full(backend.device(), DType.F32, 1, 3)).getFirst();
      Tensor second = compiled.apply(Tensor.full(backend.device(), DType.F32, 5, 3)).getFirst();
      assertArrayEquals(new float[] {2, 2, 2}, first.toFloatArray());
      assertArrayEquals(new float[] {10, 10, 10}, second.toFloatArray());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void tensorsFromOutsideAreTakenAsTheyWereWhenTraced(Backends backend) {
    try (Scope _ = Scope.open()) {
      Tensor outside = Tensor.full(backend.device(), DType.F32, 10, 2);
      try (CompiledFunction compiled = Functions.compile(in -> List.of(in[0].plus(outside)))) {
        Tensor x = Tensor.full(backend.device(), DType.F32, 1, 2);
        assertArrayEquals(new float[] {11, 11}, compiled.apply(x).getFirst().toFloatArray());
        outside.close();
        assertArrayEquals(new float[] {11, 11}, compiled.apply(x).getFirst().toFloatArray());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void wrongUsesAreRefusedAndLeaveNoMemoryBehind(Backends backend) {
    Device device = backend.device();
    try (Tensor x = Tensor.full(device, DType.F32, 1, 2);
        Tensor y = Tensor.full(device, DType.F32, 1, 3);
        Device other = Device.reference();
        Tensor foreign = Tensor.full(other, DType.F32, 1, 2)) {
      long before = device.memoryUse().bytes();
      CompiledFunction constant = Functions.compile(in -> List.of(in[0].exp(), y));
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> constant.apply(x));
      assertTrue(
          String.valueOf(e.getMessage())
              .startsWith("[compile] a result does not depend on the inputs"));
      CompiledFunction sum = Functions.compile(in -> List.of(in[0].plus(in[1])));
      assertThrows(ShapeException.class, () -> sum.apply(x, y));
      e = assertThrows(IllegalArgumentException.class, () -> sum.apply(x, foreign));
      assertTrue(
          String.valueOf(e.getMessage()).startsWith("[compile] inputs live on different devices"));
      assertThrows(IllegalArgumentException.class, sum::apply);
      constant.close();
      sum.close();
      assertEquals(before, device.memoryUse().bytes());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aClosedFunctionIsRefusedAndGivesItsMemoryBack(Backends backend) {
    Device device = backend.device();
    try (Tensor x = Tensor.full(device, DType.F32, 1, 2)) {
      long before = device.memoryUse().bytes();
      CompiledFunction compiled = Functions.compile(in -> List.of(in[0].exp().plus(1)));
      compiled.apply(x).forEach(Tensor::close);
      assertTrue(device.memoryUse().bytes() > before);
      compiled.close();
      compiled.close();
      assertEquals(before, device.memoryUse().bytes());
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> compiled.apply(x));
      assertEquals("the compiled function is closed", e.getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aClosedInputIsNamed(Backends backend) {
    try (CompiledFunction compiled = Functions.compile(in -> List.of(in[0].exp()))) {
      Tensor x = Tensor.full(backend.device(), DType.F32, 1, 2);
      compiled.apply(x).forEach(Tensor::close);
      x.close();
      IllegalStateException e = assertThrows(IllegalStateException.class, () -> compiled.apply(x));
      assertEquals("the tensor f32 (2) is closed", e.getMessage());
    }
  }
}
