package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.FiniteDifferences.assertGradient;
import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class MatMulTest {
  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void knownAnswer(DType dtype) {
    Tensors t = new Tensors(dtype);
    View a = t.of(shape(2, 3), 1, 2, 3, 4, 5, 6);
    View b = t.of(shape(3, 2), 7, 8, 9, 10, 11, 12);
    View y = t.zeros(2, 2);
    t.backend.matmul(y, a, b, null, false, false, Activation.NONE);
    t.assertElements(y, 58, 64, 139, 154);
    t.backend.matmul(y, a, b, t.of(shape(2), -60, 1), false, false, Activation.RELU);
    t.assertElements(y, 0, 65, 79, 155);
  }

  @ParameterizedTest
  @CsvSource({
    "false, false, NONE", "false, true, NONE", "true, false, NONE", "true, true, NONE",
    "false, false, RELU", "false, true, RELU", "true, false, RELU", "true, true, RELU"
  })
  void allTransposesAgreeWithTheSum(boolean transposeA, boolean transposeB, Activation activation) {
    int m = 4;
    int n = 5;
    int depth = 3;
    Tensors t = new Tensors(DType.F64);
    double[] a = Tensors.random(1, m * depth);
    double[] b = Tensors.random(2, depth * n);
    double[] bias = Tensors.random(3, n);
    double[] expected = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = bias[j];
        for (int k = 0; k < depth; k++) {
          sum +=
              a[transposeA ? k * m + i : i * depth + k] * b[transposeB ? j * depth + k : k * n + j];
        }
        expected[i * n + j] = activation == Activation.RELU && sum < 0 ? 0 : sum;
      }
    }
    View y = t.of(shape(m, n), Tensors.random(4, m * n));
    t.backend.matmul(
        y,
        transposeA ? t.of(shape(depth, m), a) : t.of(shape(m, depth), a),
        transposeB ? t.of(shape(n, depth), b) : t.of(shape(depth, n), b),
        t.of(shape(n), bias),
        transposeA,
        transposeB,
        activation);
    t.assertElements(y, expected);
  }

  @Test
  void theSumOfNoProductsIsTheBias() {
    Tensors t = new Tensors(DType.F32);
    View y = t.of(shape(2, 2), 9, 9, 9, 9);
    View bias = t.of(shape(2), 1, -1);
    t.backend.matmul(y, t.zeros(2, 0), t.zeros(0, 2), bias, false, false, Activation.RELU);
    t.assertElements(y, 1, 0, 1, 0);
    t.backend.matmul(y, t.zeros(2, 0), t.zeros(2, 0), null, false, true, Activation.NONE);
    t.assertElements(y, 0, 0, 0, 0);
  }

  @Test
  void operandsMayBeTheSame() {
    Tensors t = new Tensors(DType.F32);
    View a = t.of(shape(2, 2), 1, 2, 3, 4);
    View y = t.zeros(2, 2);
    t.backend.matmul(y, a, a, null, true, false, Activation.NONE);
    t.assertElements(y, 10, 14, 14, 20);
  }

  /// The gradients of a dense layer y = x w' + bias are products with other transposes.
  @Test
  void gradientsOfADenseLayer() {
    Tensors t = new Tensors(DType.F64);
    View x = t.of(shape(4, 3), Tensors.random(1, 12));
    View w = t.of(shape(2, 3), Tensors.random(2, 6));
    View bias = t.of(shape(2), Tensors.random(3, 2));
    double[] weights = Tensors.random(4, 8);
    View dy = t.of(shape(4, 2), weights);
    View dx = t.zeros(4, 3);
    View dw = t.zeros(2, 3);
    t.backend.matmul(dx, dy, w, null, false, false, Activation.NONE);
    t.backend.matmul(dw, dy, x, null, true, false, Activation.NONE);
    assertGradient(t, x, t.read(dx), weights, () -> dense(t, x, w, bias));
    assertGradient(t, w, t.read(dw), weights, () -> dense(t, x, w, bias));
  }

  private static View dense(Tensors t, View x, View w, @Nullable View bias) {
    View y = t.zeros(4, 2);
    t.backend.matmul(y, x, w, bias, false, true, Activation.NONE);
    return y;
  }

  @Test
  void repetitionGivesTheSameBits() {
    Tensors t = new Tensors(DType.F32);
    View a = t.of(shape(17, 33), Tensors.random(1, 561));
    View b = t.of(shape(33, 9), Tensors.random(2, 297));
    View first = t.zeros(17, 9);
    View second = t.zeros(17, 9);
    t.backend.matmul(first, a, b, null, false, false, Activation.NONE);
    t.backend.matmul(second, a, b, null, false, false, Activation.NONE);
    assertArrayEquals(t.read(first), t.read(second));
  }
}
