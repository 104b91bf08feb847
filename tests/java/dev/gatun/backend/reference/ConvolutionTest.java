package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.FiniteDifferences.assertGradient;
import static dev.gatun.backend.reference.Tensors.shape;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ConvolutionTest {
  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void knownAnswer(DType dtype) {
    Tensors t = new Tensors(dtype);
    View x = t.of(shape(1, 3, 3, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9);
    View w = t.of(shape(1, 2, 2, 1), 1, 2, 3, 4);
    View y = t.zeros(1, 2, 2, 1);
    t.backend.conv2d(
        y, null, x, w, null, null, Window.square(2, 1, 0), Activation.NONE, ConvAlgorithm.AUTO);
    t.assertElements(y, 37, 47, 67, 77); // 1 + 2*2 + 3*4 + 4*5 = 37: w is not flipped
    View padded = t.zeros(1, 4, 4, 1);
    t.backend.conv2d(
        padded,
        null,
        x,
        w,
        null,
        null,
        Window.square(2, 1, 1),
        Activation.NONE,
        ConvAlgorithm.AUTO);
    t.assertElements(padded, 4, 11, 18, 9, 18, 37, 47, 21, 36, 67, 77, 33, 14, 23, 26, 9);
  }

  @Test
  void biasAndActivationComeLast() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(1, 1, 2, 2), 1, 2, 3, -4);
    View w = t.of(shape(2, 1, 1, 2), 1, 1, -1, 2);
    View bias = t.of(shape(2), 0.5, -1);
    View y = t.zeros(1, 1, 2, 2);
    t.backend.conv2d(
        y, null, x, w, bias, null, Window.square(1, 1, 0), Activation.NONE, ConvAlgorithm.AUTO);
    t.assertElements(y, 3.5, 2, -0.5, -12);
    t.backend.conv2d(
        y, null, x, w, bias, null, Window.square(1, 1, 0), Activation.RELU, ConvAlgorithm.AUTO);
    t.assertElements(y, 3.5, 2, 0, 0);
  }

  /// Sizes of a convolution: pictures n x h x w x c, k filters.
  record Case(int n, int h, int w, int c, int k, Window window) {
    int p() {
      return (int) window.outputHeight(h);
    }

    int q() {
      return (int) window.outputWidth(w);
    }
  }

  static Case[] cases() {
    return new Case[] {
      new Case(2, 5, 5, 3, 4, Window.square(3, 1, 1)),
      new Case(2, 6, 5, 2, 3, Window.square(3, 2, 1)),
      new Case(1, 4, 4, 3, 2, Window.square(1, 1, 0)),
      new Case(1, 5, 4, 3, 2, Window.square(1, 2, 0)),
      new Case(1, 6, 7, 2, 2, new Window(2, 3, 2, 1, 0, 2)),
      new Case(1, 7, 3, 1, 1, new Window(3, 2, 3, 2, 2, 0)), // the last row is never read
      new Case(1, 2, 2, 1, 2, Window.square(5, 1, 2)), // windows wider than the picture
      new Case(1, 1, 1, 2, 1, Window.square(1, 3, 2)), // windows in the padding alone
      new Case(3, 1, 1, 1, 1, Window.square(1, 1, 0)),
    };
  }

  @ParameterizedTest
  @MethodSource("cases")
  void forwardAgreesWithTheSum(Case s) {
    Tensors t = new Tensors(DType.F64);
    Window o = s.window();
    double[] x = Tensors.random(1, s.n() * s.h() * s.w() * s.c());
    double[] w = Tensors.random(2, s.k() * o.height() * o.width() * s.c());
    double[] expected = new double[s.n() * s.p() * s.q() * s.k()];
    int i = 0;
    for (int n = 0; n < s.n(); n++) {
      for (int p = 0; p < s.p(); p++) {
        for (int q = 0; q < s.q(); q++) {
          for (int k = 0; k < s.k(); k++) {
            for (int r = 0; r < o.height(); r++) {
              for (int c = 0; c < o.width() * s.c(); c++) {
                int h = p * o.strideHeight() - o.padTop() + r;
                int v = q * o.strideWidth() - o.padLeft() + c / s.c();
                if (h >= 0 && h < s.h() && v >= 0 && v < s.w()) {
                  expected[i] +=
                      x[((n * s.h() + h) * s.w() + v) * s.c() + c % s.c()]
                          * w[(k * o.height() + r) * o.width() * s.c() + c];
                }
              }
            }
            i++;
          }
        }
      }
    }
    t.assertElements(forward(t, s, input(t, s, x), filters(t, s, w), null), expected);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradients(Case s) {
    Tensors t = new Tensors(DType.F64);
    View x = input(t, s, Tensors.random(1, s.n() * s.h() * s.w() * s.c()));
    int taps = s.window().height() * s.window().width();
    View w = filters(t, s, Tensors.random(2, s.k() * taps * s.c()));
    double[] weights = Tensors.random(3, s.n() * s.p() * s.q() * s.k());
    View dy = t.of(shape(s.n(), s.p(), s.q(), s.k()), weights);
    View dx = input(t, s, Tensors.random(4, (int) x.shape().count())); // what was there must go
    View dw = filters(t, s, Tensors.random(5, (int) w.shape().count()));
    t.backend.conv2dBackwardData(
        dx, null, dy, w, null, null, null, null, s.window(), ConvAlgorithm.AUTO);
    t.backend.conv2dBackwardWeights(dw, x, dy, s.window(), ConvAlgorithm.AUTO);
    assertGradient(t, x, t.read(dx), weights, () -> forward(t, s, x, w, null));
    assertGradient(t, w, t.read(dw), weights, () -> forward(t, s, x, w, null));
  }

  @Test
  void gradientsRoundOnce() {
    // Summed in f32, the ones would vanish beside 2^25.
    Tensors t = new Tensors(DType.F32);
    double[] ones = Tensors.fill(1001, () -> 1);
    double[] large = ones.clone();
    large[0] = 0x1p25;
    View many = t.of(shape(1, 1, 1001, 1), large);
    View all = t.of(shape(1, 1, 1001, 1), ones);
    View sum = t.zeros(1, 1, 1, 1);
    t.backend.conv2d(
        sum,
        null,
        many,
        all,
        null,
        null,
        new Window(1, 1001, 1, 1, 0, 0),
        Activation.NONE,
        ConvAlgorithm.AUTO);
    t.assertElements(sum, 0x1p25 + 1000);
    View dw = t.zeros(1, 1, 1, 1);
    t.backend.conv2dBackwardWeights(dw, many, all, Window.square(1, 1, 0), ConvAlgorithm.AUTO);
    t.assertElements(dw, 0x1p25 + 1000);
    View dx = t.zeros(1, 1, 1, 1);
    View dy = t.of(shape(1, 1, 1, 1001), large);
    t.backend.conv2dBackwardData(
        dx,
        null,
        dy,
        t.of(shape(1001, 1, 1, 1), ones),
        null,
        null,
        null,
        null,
        Window.square(1, 1, 0),
        ConvAlgorithm.AUTO);
    t.assertElements(dx, 0x1p25 + 1000);
  }

  @Test
  void noPicturesAndNoChannels() {
    Tensors t = new Tensors(DType.F32);
    Window window = Window.square(3, 1, 1);
    t.backend.conv2d(
        t.zeros(0, 4, 4, 2),
        null,
        t.zeros(0, 4, 4, 3),
        t.zeros(2, 3, 3, 3),
        null,
        null,
        window,
        Activation.NONE,
        ConvAlgorithm.AUTO);
    View dw = t.of(shape(2, 1, 1, 1), 5, 5);
    Window one = Window.square(1, 1, 0);
    t.backend.conv2dBackwardWeights(
        dw, t.zeros(0, 4, 4, 1), t.zeros(0, 4, 4, 2), one, ConvAlgorithm.AUTO);
    t.assertElements(dw, 0, 0);
    View y = t.of(shape(1, 1, 1, 2), 5, 5);
    View bias = t.of(shape(2), 1, -1);
    t.backend.conv2d(
        y,
        null,
        t.zeros(1, 1, 1, 0),
        t.zeros(2, 1, 1, 0),
        bias,
        null,
        one,
        Activation.NONE,
        ConvAlgorithm.AUTO);
    t.assertElements(y, 1, -1);
    View dx = t.of(shape(1, 1, 1, 1), 5);
    t.backend.conv2dBackwardData(
        dx,
        null,
        t.zeros(1, 1, 1, 0),
        t.zeros(0, 1, 1, 1),
        null,
        null,
        null,
        null,
        one,
        ConvAlgorithm.AUTO);
    t.assertElements(dx, 0);
  }

  private static View input(Tensors t, Case s, double... values) {
    return t.of(shape(s.n(), s.h(), s.w(), s.c()), values);
  }

  private static View filters(Tensors t, Case s, double... values) {
    return t.of(shape(s.k(), s.window().height(), s.window().width(), s.c()), values);
  }

  private static View forward(Tensors t, Case s, View x, View w, @Nullable View bias) {
    View y = t.zeros(s.n(), s.p(), s.q(), s.k());
    t.backend.conv2d(y, null, x, w, bias, null, s.window(), Activation.NONE, ConvAlgorithm.AUTO);
    return y;
  }
}
