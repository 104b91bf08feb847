package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.View;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ReductionsTest {
  private static final double NAN = Double.NaN;
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  private final Tensors t = new Tensors(DType.F32);

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void reducesEitherAxisAndBoth(DType dtype) {
    Tensors own = new Tensors(dtype);
    View x = own.of(shape(2, 3), 1, 2, 3, 4, 5, 9);
    View columns = own.zeros(1, 3);
    View rows = own.zeros(2, 1);
    View all = own.zeros(1, 1);
    own.backend.reduce(columns, x, Reduction.SUM, 0b01);
    own.assertElements(columns, 5, 7, 12);
    own.backend.reduce(rows, x, Reduction.MEAN, 0b10);
    own.assertElements(rows, 2, 6);
    own.backend.reduce(all, x, Reduction.MAX, 0b11);
    own.assertElements(all, 9);
  }

  /// Every subset of the axes of a 4-dimensional tensor, against sums over all indices.
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
  void reducesAnyAxes(int axes) {
    int[] dims = {2, 3, 4, 5};
    long[] kept = new long[4];
    for (int axis = 0; axis < 4; axis++) {
      kept[axis] = (axes >> axis & 1) == 1 ? 1 : dims[axis];
    }
    Tensors own = new Tensors(DType.F64);
    View x = own.of(shape(2, 3, 4, 5), Tensors.random(axes, 120));
    double[] values = own.read(x);
    View y = own.zeros(kept);
    double[] sums = new double[(int) y.shape().count()];
    double[] maxima = sums.clone();
    Arrays.fill(maxima, Double.NEGATIVE_INFINITY);
    for (int i = 0; i < 120; i++) {
      int[] index = {i / 60, i / 20 % 3, i / 5 % 4, i % 5};
      int target = 0;
      for (int axis = 0; axis < 4; axis++) {
        target = (int) (target * kept[axis]) + (kept[axis] == 1 ? 0 : index[axis]);
      }
      sums[target] += values[i];
      maxima[target] = Math.max(maxima[target], values[i]);
    }
    own.backend.reduce(y, x, Reduction.SUM, axes);
    assertArrayEquals(sums, own.read(y));
    own.backend.reduce(y, x, Reduction.MAX, axes);
    assertArrayEquals(maxima, own.read(y));
    double each = 120.0 / sums.length;
    own.backend.reduce(y, x, Reduction.MEAN, axes);
    for (int i = 0; i < sums.length; i++) {
      assertEquals(sums[i] / each, own.read(y)[i]);
    }
  }

  @Test
  void sumsInDouble() {
    // In f32 the ones would vanish beside 2^25.
    double[] values = Tensors.fill(1001, () -> 1);
    values[0] = 0x1p25;
    View y = t.zeros(1);
    t.backend.reduce(y, t.of(shape(1001), values), Reduction.SUM, 1);
    assertEquals(0x1p25 + 1000, t.read(y)[0]);
  }

  @Test
  void scalarsReduceToThemselves() {
    View y = t.zeros();
    t.backend.reduce(y, t.scalar(3), Reduction.MEAN, 0);
    t.assertElements(y, 3);
  }

  @Test
  void maximumOfNegativesAndWithNaN() {
    View y = t.zeros(3, 1);
    View x = t.of(shape(3, 2), -3, -2, -INFINITY, -INFINITY, NAN, 5);
    t.backend.reduce(y, x, Reduction.MAX, 0b10);
    t.assertElements(y, -2, -INFINITY, NAN);
  }

  @Test
  void emptySumIsZeroAndEmptyMeanIsNaN() {
    View x = t.zeros(2, 0);
    View y = t.of(shape(2, 1), 7, 7);
    t.backend.reduce(y, x, Reduction.SUM, 0b10);
    t.assertElements(y, 0, 0);
    t.backend.reduce(y, x, Reduction.MEAN, 0b10);
    t.assertElements(y, NAN, NAN);
  }

  @Test
  void argmaxTakesTheFirstOfEqualsAndNaNBeforeAll() {
    View x =
        t.of(
            shape(5, 3), //
            1,
            3,
            2, //
            4,
            4,
            4, //
            -1,
            -2,
            -1, //
            INFINITY,
            NAN,
            NAN, //
            -INFINITY,
            -INFINITY,
            -INFINITY);
    View y = t.zeros(DType.I32, 5, 1);
    t.backend.argmax(y, x);
    t.assertElements(y, 1, 0, 0, 1, 0);
  }
}
