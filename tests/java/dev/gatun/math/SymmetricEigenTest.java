package dev.gatun.math;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.random.RandomStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SymmetricEigenTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 9, 60})
  void vectorsAreOrthonormal_andGiveTheMatrixBack(int n) {
    RandomStream random = new RandomStream(n, 0);
    double[][] matrix = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        matrix[i][j] = random.nextGaussian();
        matrix[j][i] = matrix[i][j];
      }
    }
    SymmetricEigen eigen = SymmetricEigen.of(matrix);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        double product = 0;
        double restored = 0;
        for (int k = 0; k < n; k++) {
          product += eigen.vectors()[i][k] * eigen.vectors()[j][k];
          restored += eigen.values()[k] * eigen.vectors()[k][i] * eigen.vectors()[k][j];
        }
        assertEquals(i == j ? 1 : 0, product, 1e-12);
        assertEquals(matrix[i][j], restored, 1e-11);
      }
    }
    for (int i = 1; i < n; i++) {
      assertEquals(true, eigen.values()[i - 1] >= eigen.values()[i]);
    }
  }

  /// 2 - 2 cos(kπ / (n + 1)) of the second difference; equal values; zeros; a saddle.
  @Test
  void knownValues() {
    double[][] difference = {{2, -1, 0}, {-1, 2, -1}, {0, -1, 2}};
    assertArrayEquals(
        new double[] {2 + Math.sqrt(2), 2, 2 - Math.sqrt(2)},
        SymmetricEigen.of(difference).values(),
        1e-14);
    double[][] ones = {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}};
    assertArrayEquals(new double[] {4, 0, 0, 0}, SymmetricEigen.of(ones).values(), 1e-14);
    assertArrayEquals(new double[3], SymmetricEigen.of(new double[3][3]).values());
    SymmetricEigen saddle = SymmetricEigen.of(new double[][] {{-2, 0}, {0, 2}});
    assertArrayEquals(new double[] {2, -2}, saddle.values());
    assertArrayEquals(new double[] {0, 1}, saddle.vectors()[0]);
  }

  @Test
  void whatIsNotFinite_isRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> SymmetricEigen.of(new double[][] {{Double.NaN}}));
  }
}
