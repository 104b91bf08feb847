package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.View;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class OptimizerTest {
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void normIsEuclidean(DType dtype) {
    Tensors t = new Tensors(dtype);
    View norm = t.zeros();
    t.backend.norm(norm, t.of(shape(2, 2), 1, -2, 2, 4));
    t.assertElements(norm, 5);
    t.backend.norm(norm, t.zeros(0));
    t.assertElements(norm, 0);
    t.backend.norm(norm, t.of(shape(2), 1, Double.NaN));
    t.assertElements(norm, Double.NaN);
  }

  @Test
  void normNeitherOverflowsNorVanishesInF32() {
    Tensors t = new Tensors(DType.F32);
    View norm = t.zeros();
    t.backend.norm(norm, t.of(shape(2), 3e30, 4e30));
    assertEquals(5e30, t.read(norm)[0], 1e24);
    t.backend.norm(norm, t.of(shape(2), 3e-30, 4e-30));
    assertEquals(5e-30, t.read(norm)[0], 1e-36);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void clipShortensWhatIsLonger(DType dtype) {
    Tensors t = new Tensors(dtype);
    View x = t.of(shape(2), 3, -4);
    View y = t.zeros(2);
    t.backend.clipByNorm(y, x, t.scalar(5), 1);
    t.assertElements(y, 0.6, -0.8);
    t.backend.clipByNorm(y, x, t.scalar(5), 5);
    t.assertElements(y, 3, -4);
    t.backend.clipByNorm(y, x, t.scalar(0), 1);
    t.assertElements(y, 3, -4);
    t.backend.clipByNorm(x, x, t.scalar(5), 2.5);
    t.assertElements(x, 1.5, -2);
  }

  @Test
  void clipLeavesWhatHasNoFiniteNorm() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(3), 3, INFINITY, -4);
    View y = t.zeros(3);
    t.backend.clipByNorm(y, x, t.scalar(INFINITY), 1);
    t.assertElements(y, 3, INFINITY, -4);
    t.backend.clipByNorm(y, x, t.scalar(Double.NaN), 1);
    t.assertElements(y, 3, INFINITY, -4);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void plainStep(DType dtype) {
    Tensors t = new Tensors(dtype);
    View parameter = t.of(shape(2), 1, -2);
    View gradient = t.of(shape(2), 0.5, 4);
    View updated = t.zeros(2);
    t.backend.sgdStep(
        updated, null, parameter, null, gradient, t.scalar(0.1), new Sgd(0, 0, 0, false));
    t.assertElements(updated, 0.95, -2.4);
    t.backend.sgdStep(
        updated, null, parameter, null, gradient, t.scalar(0.1), new Sgd(0, 0, 0.5, false));
    t.assertElements(updated, 1 - 0.1 * (0.5 + 0.5), -2 - 0.1 * (4 - 1));
  }

  /// parameter 1, gradient 2, velocity 3, rate 0.1, momentum 0.9, worked out by hand.
  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void momentum(DType dtype) {
    assertStep(dtype, new Sgd(0.9, 0, 0, false), 4.7, 1 - 0.47);
    assertStep(dtype, new Sgd(0.9, 0, 0, true), 4.7, 1 - 0.1 * (2 + 0.9 * 4.7));
    assertStep(dtype, new Sgd(0.9, 0.5, 0, false), 3.7, 1 - 0.37);
    assertStep(dtype, new Sgd(0.9, 0, 0.25, false), 4.95, 1 - 0.495);
    assertStep(dtype, new Sgd(0.9, 0.5, 0.25, true), 3.825, 1 - 0.1 * (2.25 + 0.9 * 3.825));
  }

  private static void assertStep(DType dtype, Sgd sgd, double velocity, double parameter) {
    Tensors t = new Tensors(dtype);
    View oldParameter = t.of(shape(1), 1);
    View oldVelocity = t.of(shape(1), 3);
    View gradient = t.of(shape(1), 2);
    View newParameter = t.zeros(1);
    View newVelocity = t.zeros(1);
    View rate = t.scalar(0.1);
    t.backend.sgdStep(newParameter, newVelocity, oldParameter, oldVelocity, gradient, rate, sgd);
    t.assertElements(newParameter, parameter);
    t.assertElements(newVelocity, velocity);
    t.assertElements(oldParameter, 1);
    t.assertElements(oldVelocity, 3);
    t.backend.sgdStep(oldParameter, oldVelocity, oldParameter, oldVelocity, gradient, rate, sgd);
    assertArrayEquals(t.read(newParameter), t.read(oldParameter));
    assertArrayEquals(t.read(newVelocity), t.read(oldVelocity));
  }

  /// A constant gradient of 1 ends in steps of rate / (1 - momentum): the terminal velocity.
  @Test
  void terminalVelocity() {
    Tensors t = new Tensors(DType.F64);
    View parameter = t.zeros(1);
    View velocity = t.zeros(1);
    View gradient = t.of(shape(1), 1);
    View rate = t.scalar(0.01);
    Sgd sgd = new Sgd(0.9, 0, 0, false);
    double before = 0;
    for (int i = 0; i < 400; i++) {
      before = t.read(parameter)[0];
      t.backend.sgdStep(parameter, velocity, parameter, velocity, gradient, rate, sgd);
    }
    assertEquals(-0.1, t.read(parameter)[0] - before, 1e-12);
  }

  @Test
  void theLearningRateIsReadWhenItRuns() {
    Tensors t = new Tensors(DType.F32);
    View parameter = t.of(shape(1), 1);
    View gradient = t.of(shape(1), 1);
    View rate = t.scalar(0.5);
    Sgd sgd = new Sgd(0, 0, 0, false);
    try (var program =
        t.backend.record(b -> b.sgdStep(parameter, null, parameter, null, gradient, rate, sgd))) {
      program.run();
      t.assertElements(parameter, 0.5);
      t.write(rate, 0.25);
      program.run();
      t.assertElements(parameter, 0.25);
    }
  }
}
