package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Layers.FractionalMaxPool;
import dev.gatun.Model;
import dev.gatun.MonteCarlo;
import dev.gatun.Net;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Global, adaptive and fractional pooling, and pooling along sequences, by their definitions.
class PoolingFormsTest {
  private static final int[][] ADAPTIVE = {
    // height, width, and those of the output
    {7, 9, 3, 4},
    {8, 6, 4, 3},
    {5, 5, 1, 1},
    {4, 7, 4, 7},
    {3, 4, 5, 6},
    {20, 18, 1, 1},
    {6, 7, 3, 2},
  };

  @ParameterizedTest
  @EnumSource
  void adaptivePools_areTheirDefinition(Backends backend) {
    try (Scope _ = Scope.open()) {
      for (int[] of : ADAPTIVE) {
        Tensor x = doubles(backend.device(), 2, of[0], of[1], 3);
        Tensor mean = x.adaptiveAveragePool(of[2], of[3]);
        assertEquals(Shape.of(2, of[2], of[3], 3), mean.shape());
        assertArrayEquals(pooled(x, of, false), mean.toDoubleArray(), 1e-12);
        Tensor max = x.adaptiveMaxPool(of[2], of[3]);
        assertArrayEquals(pooled(x, of, true), max.toDoubleArray());
      }
    }
  }

  /// The gradient of a mean is spread over its region, that of a maximum goes to where it is; no
  /// two elements are equal here.
  @ParameterizedTest
  @EnumSource
  void adaptivePools_sendGradientsBack(Backends backend) {
    try (Scope _ = Scope.open()) {
      for (int[] of : ADAPTIVE) {
        Tensor x = doubles(backend.device(), 2, of[0], of[1], 3);
        Tensor w = doubles(backend.device(), 2, of[2], of[3], 3);
        differences(in -> in[0].adaptiveAveragePool(of[2], of[3]).times(w).sum(), x);
        differences(in -> in[0].adaptiveMaxPool(of[2], of[3]).times(w).sum(), x);
      }
    }
  }

  /// In a network, compiled, as at once.
  @ParameterizedTest
  @EnumSource
  void pools_areTheSameInANetwork(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 1, 2, 7, 9, 3);
      Tensor s = Tensor.randn(device, 1, 2, 8, 4);
      Net picture = Net.input(7, 9, 3);
      Net sequence = Net.input(8, 4);
      same(picture.adaptiveAveragePool(3, 4), x, x.adaptiveAveragePool(3, 4));
      same(picture.adaptiveMaxPool(3, 4), x, x.adaptiveMaxPool(3, 4));
      same(picture.globalMaxPool(), x, x.max(1, 2));
      same(picture.averagePool(3, 2, 1, true), x, x.averagePool(3, 2, 1, true));
      same(sequence.maxPool1d(3, 2, 1), s, s.maxPool1d(3, 2, 1));
      same(sequence.averagePool1d(3, 2, 1), s, s.averagePool1d(3, 2, 1, false));
      same(sequence.globalAveragePool(), s, s.mean(1));
      same(sequence.globalMaxPool(), s, s.max(1));
      Tensor half = Tensor.full(device, DType.F32, 0.5, 2, 2);
      same(picture.fractionalMaxPool(0.7), x, x.fractionalMaxPool(2, 4, 6, half));
    }
  }

  /// Of a picture of ones, padding lowers the mean where it is counted.
  @ParameterizedTest
  @EnumSource
  void averagePool_countsPaddingIfAsked(Backends backend) {
    try (Scope _ = Scope.open()) {
      Tensor ones = Tensor.full(backend.device(), DType.F32, 1, 1, 3, 3, 1);
      float c = 4 / 9f;
      float e = 6 / 9f;
      assertArrayEquals(
          new float[] {c, e, c, e, 1, e, c, e, c},
          ones.averagePool(3, 1, 1, true).toFloatArray(),
          1e-6f);
      float[] plain = new float[9];
      Arrays.fill(plain, 1);
      assertArrayEquals(plain, ones.averagePool(3, 1, 1).toFloatArray());
      Tensor row = Tensor.full(backend.device(), DType.F32, 1, 1, 3, 1);
      assertArrayEquals(
          new float[] {2 / 3f, 1, 2 / 3f}, row.averagePool1d(3, 1, 1, true).toFloatArray(), 1e-6f);
    }
  }

  /// Along a sequence, one channel at a time.
  @ParameterizedTest
  @EnumSource
  void pools1d_areTheirDefinition(Backends backend) {
    try (Scope _ = Scope.open()) {
      Tensor x = doubles(backend.device(), 2, 9, 3);
      double[] in = x.toDoubleArray();
      double[] max = x.maxPool1d(4, 3, 1).toDoubleArray();
      double[] mean = x.averagePool1d(4, 3, 1, false).toDoubleArray();
      assertEquals(2 * 3 * 3, max.length);
      for (int n = 0; n < 2; n++) {
        for (int p = 0; p < 3; p++) {
          for (int c = 0; c < 3; c++) {
            double greatest = Double.NEGATIVE_INFINITY;
            double sum = 0;
            int count = 0;
            for (int l = Math.max(0, 3 * p - 1); l < Math.min(9, 3 * p + 3); l++) {
              greatest = Math.max(greatest, in[(n * 9 + l) * 3 + c]);
              sum += in[(n * 9 + l) * 3 + c];
              count++;
            }
            assertEquals(greatest, max[(n * 3 + p) * 3 + c]);
            assertEquals(sum / count, mean[(n * 3 + p) * 3 + c], 1e-12);
          }
        }
      }
    }
  }

  /// Windows of one element read out where the windows begin: at PyTorch's places.
  @ParameterizedTest
  @EnumSource
  void fractionalWindows_beginWhereTheRuleSays(Backends backend) {
    int height = 25;
    int width = 18;
    int rows = 17;
    int columns = 12;
    float[] samples = {0, 0.999f, 0.3f, 0.5f, 0.71f, 0.123f};
    float[] places = new float[3 * height * width * 2];
    for (int i = 0; i < places.length / 2; i++) {
      places[2 * i] = (float) (i / width % height);
      places[2 * i + 1] = i % width;
    }
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(backend.device(), places, 3, height, width, 2);
      Tensor u = Tensor.of(backend.device(), samples, 3, 2);
      for (int size = 1; size <= 2; size++) {
        float[] y = x.fractionalMaxPool(size, rows, columns, u).toFloatArray();
        for (int n = 0; n < 3; n++) {
          for (int p = 0; p < rows; p++) {
            for (int q = 0; q < columns; q++) {
              int at = ((n * rows + p) * columns + q) * 2;
              assertEquals(
                  start(p, height, rows, size, samples[2 * n]) + size - 1, y[at], "row " + p);
              assertEquals(
                  start(q, width, columns, size, samples[2 * n + 1]) + size - 1, y[at + 1]);
            }
          }
        }
      }
    }
  }

  private static int start(int i, int length, int out, int size, float u) {
    float step = (float) (length - size) / (out - 1);
    return i == out - 1 ? length - size : (int) ((i + u) * step) - (int) (u * step);
  }

  /// Windows of 2 at a ratio above one half cover everything; their distances are 1 or 2. Every
  /// picture has other ones, others again at each step, the same for the same seed.
  @ParameterizedTest
  @EnumSource
  void fractionalPooling_partsThePicture(Backends backend) {
    int side = 25;
    int out = 17;
    float[] x = new float[40 * side * side];
    for (int i = 0; i < x.length; i++) {
      x[i] = i / side % side;
    }
    Net net = Net.input(side, side, 1).fractionalMaxPool(0.7);
    assertEquals(Shape.of(out, out, 1), net.outputShape());
    try (Model model = Model.of(net, backend.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 1)) {
      float[] y = sampler.predict(x, 1).mean();
      boolean differ = false;
      for (int n = 0; n < 40; n++) {
        assertEquals(1, y[n * out * out], "the first window begins at 0");
        assertEquals(side - 1, y[(n + 1) * out * out - 1], "the last ends at the end");
        for (int p = 1; p < out; p++) {
          float step = y[(n * out + p) * out] - y[(n * out + p - 1) * out];
          assertTrue(step == 1 || step == 2, "a distance of " + step);
          differ |= y[(n * out + p) * out] != y[p * out];
        }
      }
      assertTrue(differ);
      assertArrayEquals(y, sampler.predict(x, 1).mean());
      assertFalse(Arrays.equals(y, Arrays.copyOfRange(sampler.predict(x, 2).mean(), 0, y.length)));
      assertArrayEquals(model.predict(x), model.predict(x), "in inference");
    }
    try (Trainer trainer = trainer(net, backend);
        Trainer again = trainer(net, backend)) {
      float[] noise = new float[2 * side * side];
      for (int i = 0; i < noise.length; i++) {
        noise[i] = (float) Math.sin(i * i);
      }
      float first = trainer.step(noise, new int[] {0, 0}, 0);
      assertEquals(first, again.step(noise, new int[] {0, 0}, 0));
      assertNotEquals(first, trainer.step(noise, new int[] {0, 0}, 0));
    }
  }

  private static Trainer trainer(Net net, Backends backend) {
    return Trainer.of(net.flatten()).on(backend.device()).loss((outputs, labels) -> outputs.sum());
  }

  /// The gradient goes to the greatest of each window, and is summed where windows overlap.
  @ParameterizedTest
  @EnumSource
  void fractionalPooling_sendsGradientsBack(Backends backend) {
    try (Scope _ = Scope.open()) {
      Tensor x = doubles(backend.device(), 2, 7, 9, 3);
      Tensor w = doubles(backend.device(), 2, 5, 6, 3);
      Tensor u = Tensor.of(backend.device(), new float[] {0.2f, 0.9f, 0.6f, 0.4f}, 2, 2);
      differences(in -> in[0].fractionalMaxPool(2, 5, 6, u).times(w).sum(), x);
    }
  }

  /// Multiples of 2^-24 in [0, 1), uniform by their moments and a χ² test over 16 parts (99.9 %:
  /// 37.7), the same on every device; ½ in inference.
  @Test
  void uniformNumbers_areUniform() {
    int size = 4000;
    Net net =
        Net.input(size)
            .layer("noise", (context, x) -> context.uniform(x.shape().toArray()).plus(x));
    List<float[]> found = new ArrayList<>();
    for (Backends backend : Backends.values()) {
      try (Model model = Model.of(net, backend.device(), 1);
          MonteCarlo sampler = MonteCarlo.of(model, 1)) {
        found.add(sampler.predict(new float[4 * size], 1).mean());
        float[] halves = new float[size];
        Arrays.fill(halves, 0.5f);
        assertArrayEquals(halves, model.predict(new float[size]));
      }
    }
    assertArrayEquals(found.getFirst(), found.getLast());
    int[] parts = new int[16];
    double sum = 0;
    double squares = 0;
    for (float u : found.getFirst()) {
      assertTrue(u >= 0 && u < 1 && u * 0x1p24f == Math.rint(u * 0x1p24f));
      parts[(int) (16 * u)]++;
      sum += u;
      squares += u * u;
    }
    int count = 4 * size;
    double chi = 0;
    for (int part : parts) {
      chi += (part - count / 16.0) * (part - count / 16.0) / (count / 16.0);
    }
    assertTrue(chi < 37.7, "χ² " + chi);
    assertEquals(0.5, sum / count, 5 * Math.sqrt(1 / 12.0 / count));
    assertEquals(1 / 3.0, squares / count, 5 * Math.sqrt(4 / 45.0 / count));
  }

  @Test
  void badInput_isRefused() {
    Net net = Net.input(8, 8, 2);
    refused(
        "adaptiveAveragePool0: [adaptiveAveragePool] expected an output of at least 1x1, found 0x3",
        () -> net.adaptiveAveragePool(0, 3));
    refused(
        "adaptiveMaxPool0: [adaptiveMaxPool] expected [N,H,W,C], found (2, 4)",
        () -> Net.input(4).adaptiveMaxPool(1, 1));
    refused(
        "globalMaxPool0: [globalMaxPool] expected [N,H,W,C] or [N,L,C], found f32 (2, 4)",
        () -> Net.input(4).globalMaxPool());
    refused(
        "maxPool1d0: [maxPool1d] expected [N,L,C], found f32 (2, 8, 8, 2)",
        () -> net.maxPool1d(2, 2, 0));
    refused(
        "fractionalMaxPool0: [fractionalMaxPool] expected windows of at least 1 and an output of at"
            + " least 1x1 that leaves them room, found 7x7 by windows of 3 from (2, 8, 8, 2)",
        () -> net.layer("fractionalMaxPool", new FractionalMaxPool(3, 0.9)));
    assertEquals(
        "[fractionalMaxPool] expected a ratio in (0, 1), found 1.0",
        assertThrows(IllegalArgumentException.class, () -> new FractionalMaxPool(2, 1))
            .getMessage());
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(Backends.REFERENCE.device(), 1, 2, 4, 4, 1);
      refused(
          "[fractionalMaxPool] expected f32 samples [N,2] for (2, 4, 4, 1), found f32 (2, 4, 4, 1)",
          () -> x.fractionalMaxPool(2, 2, 2, x));
    }
  }

  /// `x [N,H,W,C]` pooled by loops.
  private static double[] pooled(Tensor x, int[] of, boolean max) {
    double[] in = x.toDoubleArray();
    double[] out = new double[2 * of[2] * of[3] * 3];
    DoubleBinaryOperator join = max ? Math::max : Double::sum;
    for (int n = 0; n < 2; n++) {
      for (int p = 0; p < of[2]; p++) {
        for (int q = 0; q < of[3]; q++) {
          for (int c = 0; c < 3; c++) {
            int bottom = (int) Math.ceil((p + 1.0) * of[0] / of[2]);
            int right = (int) Math.ceil((q + 1.0) * of[1] / of[3]);
            double result = max ? Double.NEGATIVE_INFINITY : 0;
            int count = 0;
            for (int h = p * of[0] / of[2]; h < bottom; h++) {
              for (int w = q * of[1] / of[3]; w < right; w++) {
                result = join.applyAsDouble(result, in[((n * of[0] + h) * of[1] + w) * 3 + c]);
                count++;
              }
            }
            out[((n * of[2] + p) * of[3] + q) * 3 + c] = max ? result : result / count;
          }
        }
      }
    }
    return out;
  }

  /// Central differences along each element.
  private static void differences(TensorFunction function, Tensor x) {
    double[] gradient = Functions.grad(function).apply(x).getFirst().toDoubleArray();
    double[] at = x.toDoubleArray();
    double h = 1e-5;
    for (int i = 0; i < at.length; i += 7) {
      double here = at[i];
      try (Scope _ = Scope.open()) {
        at[i] = here + h;
        double above = function.apply(Tensor.of(x.device(), at, x.shape().toArray())).item();
        at[i] = here - h;
        double below = function.apply(Tensor.of(x.device(), at, x.shape().toArray())).item();
        assertEquals((above - below) / (2 * h), gradient[i], 1e-8, "element " + i);
      }
      at[i] = here;
    }
  }

  private static void same(Net net, Tensor x, Tensor expected) {
    try (Model model = Model.of(net, x.device(), 1)) {
      assertArrayEquals(expected.toFloatArray(), model.predict(x.toFloatArray()), 1e-6f);
    }
  }

  /// Numbers in F64, no two of them nearer than 10⁻⁴.
  private static Tensor doubles(Device device, long... dims) {
    double[] elements = new double[Math.toIntExact(Shape.of(dims).count())];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = i * 7919 % 10007 / 10007.0 - 0.5;
    }
    return Tensor.of(device, elements, dims);
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(ShapeException.class, call).getMessage());
  }
}
