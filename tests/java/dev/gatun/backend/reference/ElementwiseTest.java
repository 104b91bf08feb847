package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ElementwiseTest {
  private static final double NAN = Double.NaN;
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void unaryKnownAnswers(DType dtype) {
    double e = Math.E;
    assertUnary(dtype, Unary.NEGATE, new double[] {1.5, -2, 0}, -1.5, 2, -0.0);
    assertUnary(dtype, Unary.ABS, new double[] {1.5, -2, NAN}, 1.5, 2, NAN);
    assertUnary(dtype, Unary.SQUARE, new double[] {1.5, -2}, 2.25, 4);
    assertUnary(dtype, Unary.SQRT, new double[] {2.25, 0, -1}, 1.5, 0, NAN);
    assertUnary(dtype, Unary.EXP, new double[] {0, 1, -1, -INFINITY}, 1, e, 1 / e, 0);
    assertUnary(dtype, Unary.LOG, new double[] {1, 0, -1}, 0, -INFINITY, NAN);
    assertUnary(dtype, Unary.RELU, new double[] {2, -2, 0, -INFINITY}, 2, 0, 0, 0);
    assertUnary(dtype, Unary.SIGN, new double[] {2, -3, 0}, 1, -1, 0);
  }

  @ParameterizedTest
  @EnumSource(names = {"RELU", "SIGN", "ABS", "SQRT", "EXP", "LOG", "SIGMOID", "TANH", "SQUARE"})
  void unaryKeepsNaN(Unary op) {
    assertUnary(DType.F32, op, new double[] {NAN}, NAN);
  }

  @Test
  void sigmoidAndTanhHaveTheirReferenceValues() {
    Tensors t = new Tensors(DType.F64);
    View x = t.of(shape(3), 0, 4, 10);
    View y = t.zeros(3);
    t.backend.unary(y, x, Unary.SIGMOID);
    assertArrayEquals(new double[] {0.5, 0.98201379, 0.99995460}, t.read(y), 5e-9);
    t.backend.unary(y, x, Unary.TANH);
    assertArrayEquals(new double[] {0, 0.99932930, 1 - 4.1223e-9}, t.read(y), 5e-9);
  }

  @Test
  void sigmoidAndTanhHaveTheirReferenceSlopes() {
    Tensors t = new Tensors(DType.F64);
    View x = t.of(shape(3), 0, 4, 10);
    View y = t.zeros(3);
    t.backend.unary(y, x, Unary.SIGMOID);
    double[] s = t.read(y);
    assertEquals(0.25, s[0] * (1 - s[0]), 0);
    assertEquals(0.01766271, s[1] * (1 - s[1]), 5e-9);
    assertEquals(4.53958e-5, s[2] * (1 - s[2]), 5e-11);
    t.backend.unary(y, x, Unary.TANH);
    double[] h = t.read(y);
    assertEquals(1.34095e-3, 1 - h[1] * h[1], 5e-9);
    assertEquals(8.2446e-9, 1 - h[2] * h[2], 5e-13);
  }

  @Test
  void sigmoidDoesNotOverflow() {
    assertUnary(DType.F32, Unary.SIGMOID, new double[] {-1000, 1000, -INFINITY}, 0, 1, 0);
  }

  @ParameterizedTest
  @EnumSource
  void unaryWorksInPlace(Unary op) {
    Tensors t = new Tensors(DType.F32);
    double[] values = {0.5, 2, 3};
    View x = t.of(shape(3), values);
    View y = t.zeros(3);
    t.backend.unary(y, x, op);
    t.backend.unary(x, x, op);
    assertArrayEquals(t.read(y), t.read(x));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void binaryKnownAnswers(DType dtype) {
    double[] a = {6, -6, 1};
    double[] b = {2, 4, -4};
    assertBinary(dtype, Binary.ADD, a, b, 8, -2, -3);
    assertBinary(dtype, Binary.SUBTRACT, a, b, 4, -10, 5);
    assertBinary(dtype, Binary.MULTIPLY, a, b, 12, -24, -4);
    assertBinary(dtype, Binary.DIVIDE, a, b, 3, -1.5, -0.25);
    assertBinary(dtype, Binary.MAXIMUM, a, b, 6, 4, 1);
    assertBinary(dtype, Binary.MINIMUM, a, b, 2, -6, -4);
    assertBinary(dtype, Binary.GATE, a, b, 6, -6, 0);
  }

  @Test
  void gateIsClosedAtZeroAndAtNaNWhateverTheGradient() {
    double[] a = {3, 3, NAN, INFINITY, NAN};
    double[] b = {0, NAN, -1, 0, 1};
    assertBinary(DType.F32, Binary.GATE, a, b, 0, 0, 0, 0, NAN);
  }

  @Test
  void maximumAndMinimumKeepNaN() {
    assertBinary(DType.F32, Binary.MAXIMUM, new double[] {NAN, 1}, new double[] {1, NAN}, NAN, NAN);
    assertBinary(DType.F32, Binary.MINIMUM, new double[] {NAN, 1}, new double[] {1, NAN}, NAN, NAN);
  }

  @Test
  void binaryBroadcasts() {
    Tensors t = new Tensors(DType.F32);
    View y = t.zeros(2, 2, 3);
    View column = t.of(shape(2, 1), 10, 20);
    View row = t.of(shape(2, 1, 3), 1, 2, 3, 4, 5, 6);
    t.backend.binary(y, column, row, Binary.ADD);
    t.assertElements(y, 11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26);
  }

  @Test
  void binaryBroadcastsScalarsAndBothOperandsToALargerResult() {
    Tensors t = new Tensors(DType.F32);
    View y = t.zeros(2, 2);
    t.backend.binary(y, t.scalar(8), t.of(shape(1), 2), Binary.DIVIDE);
    t.assertElements(y, 4, 4, 4, 4);
    View scalar = t.zeros();
    t.backend.binary(scalar, t.scalar(8), t.scalar(3), Binary.SUBTRACT);
    t.assertElements(scalar, 5);
  }

  @Test
  void binaryWorksInPlaceWithEitherAndBothOperands() {
    Tensors t = new Tensors(DType.F32);
    View a = t.of(shape(2, 2), 1, 2, 3, 4);
    View b = t.of(shape(2), 10, 20);
    t.backend.binary(a, a, b, Binary.ADD);
    t.assertElements(a, 11, 22, 13, 24);
    t.backend.binary(a, b, a, Binary.SUBTRACT);
    t.assertElements(a, -1, -2, -3, -4);
    t.backend.binary(a, a, a, Binary.MULTIPLY);
    t.assertElements(a, 1, 4, 9, 16);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void affineScalesAndShifts(DType dtype) {
    Tensors t = new Tensors(dtype);
    View x = t.of(shape(2, 2), 1, 2, -3, 0);
    View y = t.zeros(2, 2);
    t.backend.affine(y, x, 2, 0.5);
    t.assertElements(y, 2.5, 4.5, -5.5, 0.5);
    t.backend.affine(x, x, 2, 0.5);
    t.assertElements(x, 2.5, 4.5, -5.5, 0.5);
  }

  private static void assertUnary(DType dtype, Unary op, double[] x, double... expected) {
    Tensors t = new Tensors(dtype);
    View y = t.zeros(x.length);
    t.backend.unary(y, t.of(shape(x.length), x), op);
    t.assertElements(y, expected);
  }

  private static void assertBinary(
      DType dtype, Binary op, double[] a, double[] b, double... expected) {
    Tensors t = new Tensors(dtype);
    View y = t.zeros(a.length);
    t.backend.binary(y, t.of(shape(a.length), a), t.of(shape(b.length), b), op);
    t.assertElements(y, expected);
  }
}
