package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InitializerTest {
  private static final Shape DENSE = Shape.of(256, 784);
  private static final Shape CONV = Shape.of(64, 3, 3, 32);
  private static final long SEED = 3;

  /// ±√(6 / (784 + 256)) and ±√(3 / 784).
  @Test
  void uniformOnes_fillTheirInterval() {
    uniform(0.0759555, Initializer.glorotUniform(), DENSE);
    uniform(0.0618590, Initializer.lecunUniform(), DENSE);
    uniform(Math.sqrt(6.0 / 784), Initializer.kaimingUniform(), DENSE);
    uniform(Math.sqrt(6.0 / (9 * 32)), Initializer.kaimingUniform(), CONV);
    uniform(Math.sqrt(6.0 / (9 * 32 + 9 * 64)), Initializer.glorotUniform(), CONV);
    uniform(0.25, Initializer.uniform(-0.25, 0.25), DENSE);
  }

  @Test
  void normalOnes_haveTheirDeviation() {
    normal(Math.sqrt(2.0 / 784), Initializer.kaimingNormal(), DENSE);
    normal(Math.sqrt(2.0 / (9 * 32)), Initializer.kaimingNormal(), CONV);
    normal(Math.sqrt(1.0 / 784), Initializer.lecunNormal(), DENSE);
    normal(Math.sqrt(2.0 / (784 + 256)), Initializer.glorotNormal(), DENSE);
    normal(0.01, Initializer.normal(0.01), DENSE);
  }

  @Test
  void constants_areTheirValue() {
    Shape shape = Shape.of(2, 2);
    assertArrayEquals(new float[4], Initializer.zeros().sample(shape, 1, 0));
    assertArrayEquals(new float[] {1, 1, 1, 1}, Initializer.ones().sample(shape, 1, 0));
    assertArrayEquals(
        new float[] {0.3f, 0.3f, 0.3f, 0.3f}, Initializer.constant(0.3).sample(shape, 1, 0));
  }

  @Test
  void samples_dependOnSeedAndStreamOnly() {
    Initializer initializer = Initializer.kaimingNormal();
    float[] sample = initializer.sample(CONV, 1, 0);
    assertArrayEquals(sample, initializer.sample(CONV, 1, 0));
    double bound = 5 / Math.sqrt(sample.length);
    assertTrue(Math.abs(correlation(sample, initializer.sample(CONV, 2, 0))) < bound);
    assertTrue(Math.abs(correlation(sample, initializer.sample(CONV, 1, 1))) < bound);
  }

  @Test
  void aModel_startsTheSameOnEveryDevice() {
    Net net = Net.input(8, 8, 3).conv(4, 3).batchNorm().relu().flatten().dense(7);
    Backends.requireNative();
    try (Device reference = Device.reference();
        Device cpu = Device.cpu(2);
        Model java = Model.of(net, reference, 5);
        Model here = Model.of(net, cpu, 5);
        Model other = Model.of(net, cpu, 6)) {
      assertEquals(java.parameterNames(), here.parameterNames());
      for (String name : java.parameterNames()) {
        assertArrayEquals(java.read(name), here.read(name), name);
      }
      assertFalse(Arrays.equals(here.read("dense0.weight"), other.read("dense0.weight")));
    }
  }

  @Test
  void parametersOfOneModel_startDifferently() {
    Net net = Net.input(50).dense(50).dense(50);
    try (Device device = Device.reference();
        Model model = Model.of(net, device, 1)) {
      double correlation = correlation(model.read("dense0.weight"), model.read("dense1.weight"));
      assertTrue(Math.abs(correlation) < 5.0 / 50, "correlation " + correlation);
    }
  }

  @Test
  void layers_useWhatTheyAreGiven() {
    Net net =
        Net.input(4, 4, 1)
            .conv(new Conv(2, 3).initializer(Initializer.constant(3)))
            .batchNorm()
            .flatten()
            .dense(new Dense(2).initializer(Initializer.constant(-1)));
    try (Device device = Device.reference();
        Model model = Model.of(net, device, 1)) {
      assertArrayEquals(filled(18, 3), model.read("conv0.weight"));
      assertArrayEquals(filled(2, 0), model.read("conv0.bias"));
      assertArrayEquals(filled(2, 1), model.read("batchNorm0.weight"));
      assertArrayEquals(filled(2, 0), model.read("batchNorm0.bias"));
      assertArrayEquals(filled(2, 0), model.read("batchNorm0.runningMean"));
      assertArrayEquals(filled(2, 1), model.read("batchNorm0.runningVariance"));
      assertArrayEquals(filled(64, -1), model.read("dense0.weight"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"()", "(3)"})
  void aFan_needsTwoAxes(String shape) {
    Shape vector = shape.equals("()") ? Shape.scalar() : Shape.of(3);
    assertEquals(
        "[varianceScaling] a fan needs weights with at least two axes [out, ..., in], found "
            + shape,
        assertThrows(ShapeException.class, () -> Initializer.glorotUniform().sample(vector, 1, 0))
            .getMessage());
  }

  @Test
  void aFan_ofAParameterWithoutOne_namesTheParameter() {
    Net net =
        Net.input(3)
            .layer(
                "scale",
                (context, x) ->
                    x.times(context.parameter("factor", Initializer.kaimingNormal(), 3)));
    try (Device device = Device.reference()) {
      assertEquals(
          "scale0.factor: [varianceScaling] a fan needs weights with at least two axes"
              + " [out, ..., in], found (3)",
          assertThrows(ShapeException.class, () -> Model.of(net, device, 1)).getMessage());
      assertEquals(0, device.memoryUse().bytes());
    }
  }

  /// No sample is outside, some are close to the ends, and the moments are those of the uniform
  /// distribution to five standard errors.
  private static void uniform(double bound, Initializer initializer, Shape shape) {
    float[] sample = initializer.sample(shape, SEED, 0);
    double least = Double.POSITIVE_INFINITY;
    double greatest = Double.NEGATIVE_INFINITY;
    for (float x : sample) {
      least = Math.min(least, x);
      greatest = Math.max(greatest, x);
    }
    assertTrue(least >= -bound * (1 + 1e-6) && least < -0.999 * bound, "least " + least);
    assertTrue(greatest <= bound * (1 + 1e-6) && greatest > 0.999 * bound, "greatest " + greatest);
    moments(bound / Math.sqrt(3), 9.0 / 5, sample);
  }

  private static void normal(double deviation, Initializer initializer, Shape shape) {
    moments(deviation, 3, initializer.sample(shape, SEED, 0));
  }

  /// Mean 0 within 5σ/√n, variance σ² within 5 of its standard errors, σ²·√((kurtosis - 1) / n),
  /// and the kurtosis itself within 5 %.
  private static void moments(double deviation, double kurtosis, float[] sample) {
    double n = sample.length;
    double sum = 0;
    double squares = 0;
    double fourths = 0;
    for (float x : sample) {
      sum += x;
      squares += (double) x * x;
      fourths += (double) x * x * x * x;
    }
    double variance = deviation * deviation;
    assertEquals(0, sum / n, 5 * deviation / Math.sqrt(n), "mean");
    assertEquals(variance, squares / n, 5 * variance * Math.sqrt((kurtosis - 1) / n), "variance");
    assertEquals(kurtosis, fourths / n / (squares / n) / (squares / n), 0.05 * kurtosis);
  }

  private static double correlation(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }

  @Test
  void yourOwn_isALambda() {
    Initializer own =
        (shape, seed, stream) -> filled((int) shape.count(), (float) (shape.dim(0) + 10 * seed));
    Net net = Net.input(3).dense(new Dense(2).initializer(own.times(0.5)));
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 4)) {
      assertArrayEquals(filled(6, 21), model.read("dense0.weight"));
    }
    Net wrong = Net.input(3).dense(new Dense(2).initializer((shape, seed, stream) -> new float[5]));
    ShapeException thrown =
        assertThrows(
            ShapeException.class, () -> Model.of(wrong, Backends.REFERENCE.device(), 1).close());
    assertEquals(
        "dense0.weight: [initializer] expected 6 elements for (2, 3), found 5",
        thrown.getMessage());
  }

  private static float[] filled(int count, float value) {
    float[] elements = new float[count];
    Arrays.fill(elements, value);
    return elements;
  }
}
