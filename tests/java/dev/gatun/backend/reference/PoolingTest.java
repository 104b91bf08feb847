package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.FiniteDifferences.assertGradient;
import static dev.gatun.backend.reference.Tensors.shape;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class PoolingTest {
  private static final double NAN = Double.NaN;
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void knownAnswers(DType dtype) {
    Tensors t = new Tensors(dtype);
    View x = t.of(shape(1, 3, 4, 1), 1, 5, 2, 0, 3, 4, 8, 7, 6, 9, 1, 1);
    View y = t.zeros(1, 2, 2, 1);
    View taps = t.zeros(DType.U8, 1, 2, 2, 1);
    Window window = new Window(2, 2, 1, 2, 0, 0);
    t.backend.maxPool(y, taps, x, window);
    t.assertElements(y, 5, 8, 9, 8);
    t.assertElements(taps, 1, 2, 3, 0);
    t.backend.averagePool(y, x, window, false);
    t.assertElements(y, 13 / 4.0, 17 / 4.0, 22 / 4.0, 17 / 4.0);
  }

  @Test
  void channelsAreIndependent() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(1, 1, 2, 2), 1, 20, 2, 10);
    View y = t.zeros(1, 1, 1, 2);
    View taps = t.zeros(DType.U8, 1, 1, 1, 2);
    t.backend.maxPool(y, taps, x, new Window(1, 2, 1, 1, 0, 0));
    t.assertElements(y, 2, 20);
    t.assertElements(taps, 1, 0);
  }

  @Test
  void paddingNeverWinsAndIsNotCounted() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(1, 2, 2, 1), -1, -2, -3, -4);
    View y = t.zeros(1, 2, 2, 1);
    View taps = t.zeros(DType.U8, 1, 2, 2, 1);
    Window window = Window.square(2, 2, 1);
    t.backend.maxPool(y, taps, x, window);
    t.assertElements(y, -1, -2, -3, -4);
    t.assertElements(taps, 3, 2, 1, 0);
    t.backend.averagePool(y, x, window, false);
    t.assertElements(y, -1, -2, -3, -4);
    View edges = t.zeros(1, 1, 1, 1);
    t.backend.averagePool(edges, x, Window.square(3, 9, 1), false);
    t.assertElements(edges, -10 / 4.0);
  }

  @Test
  void theFirstOfEqualsWinsAndNaNWinsOverAll() {
    Tensors t = new Tensors(DType.F32);
    View x =
        t.of(
            shape(4, 1, 3, 1), //
            7,
            7,
            7, //
            INFINITY,
            NAN,
            NAN, //
            -INFINITY,
            -INFINITY,
            -INFINITY, //
            NAN,
            1,
            2);
    View y = t.zeros(4, 1, 1, 1);
    View taps = t.zeros(DType.U8, 4, 1, 1, 1);
    Window window = new Window(1, 3, 1, 1, 0, 0);
    t.backend.maxPool(y, taps, x, window);
    t.assertElements(y, 7, NAN, -INFINITY, NAN);
    t.assertElements(taps, 0, 1, 0, 0);
  }

  @Test
  void theTapOfAWindowOfInfinitiesLiesInsideThePicture() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(1, 1, 1, 1), -INFINITY);
    View y = t.zeros(1, 1, 1, 1);
    View taps = t.zeros(DType.U8, 1, 1, 1, 1);
    t.backend.maxPool(y, taps, x, new Window(3, 3, 1, 1, 1, 1));
    t.assertElements(taps, 4);
  }

  @Test
  void maxPoolBackwardAddsUpWhereWindowsOverlap() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(1, 1, 4, 1), 1, 9, 2, 3);
    View y = t.zeros(1, 1, 3, 1);
    View taps = t.zeros(DType.U8, 1, 1, 3, 1);
    Window window = new Window(1, 2, 1, 1, 0, 0);
    t.backend.maxPool(y, taps, x, window);
    View dx = t.of(shape(1, 1, 4, 1), 5, 5, 5, 5);
    t.backend.maxPoolBackward(dx, t.of(shape(1, 1, 3, 1), 10, 20, 40), taps, window);
    t.assertElements(dx, 0, 30, 0, 40);
  }

  @Test
  void tapsOutsideThePictureAreIgnored() {
    Tensors t = new Tensors(DType.F32);
    View dx = t.zeros(1, 2, 2, 1);
    View dy = t.of(shape(1, 1, 1, 1), 1);
    Window window = new Window(2, 2, 2, 2, 1, 1);
    for (int tap : new int[] {0, 1, 2, 4, 255}) { // all but 3 lie in the padding or nowhere
      t.backend.maxPoolBackward(
          t.alias(dx, 0, 1, 1, 1, 1), dy, t.of(DType.U8, shape(1, 1, 1, 1), tap), window);
      t.assertElements(dx, 0, 0, 0, 0);
    }
  }

  static Window[] windows() {
    return new Window[] {
      Window.square(2, 2, 0),
      Window.square(3, 2, 1),
      Window.square(3, 1, 1),
      new Window(2, 3, 1, 2, 1, 0),
      new Window(5, 4, 5, 4, 0, 0), // global
      Window.square(1, 1, 0),
    };
  }

  @ParameterizedTest
  @MethodSource("windows")
  void gradients(Window window) {
    Tensors t = new Tensors(DType.F64);
    long p = window.outputHeight(5);
    long q = window.outputWidth(4);
    View x = t.of(shape(2, 5, 4, 3), Tensors.random(1, 120));
    View y = t.zeros(2, p, q, 3);
    View taps = t.zeros(DType.U8, 2, p, q, 3);
    View dx = t.zeros(2, 5, 4, 3);
    double[] weights = Tensors.random(2, (int) y.shape().count());
    View dy = t.of(shape(2, p, q, 3), weights);
    t.backend.maxPool(y, taps, x, window);
    t.backend.maxPoolBackward(dx, dy, taps, window);
    assertGradient(
        t,
        x,
        t.read(dx),
        weights,
        () -> {
          t.backend.maxPool(y, taps, x, window);
          return y;
        });
    t.backend.averagePoolBackward(dx, dy, window, false);
    assertGradient(
        t,
        x,
        t.read(dx),
        weights,
        () -> {
          t.backend.averagePool(y, x, window, false);
          return y;
        });
  }

  @Test
  void noPicturesAndNoChannels() {
    Tensors t = new Tensors(DType.F32);
    Window window = Window.square(2, 2, 0);
    t.backend.maxPool(
        t.zeros(0, 2, 2, 3), t.zeros(DType.U8, 0, 2, 2, 3), t.zeros(0, 4, 4, 3), window);
    t.backend.averagePool(t.zeros(2, 2, 2, 0), t.zeros(2, 4, 4, 0), window, false);
    t.backend.averagePoolBackward(t.zeros(2, 4, 4, 0), t.zeros(2, 2, 2, 0), window, false);
  }
}
