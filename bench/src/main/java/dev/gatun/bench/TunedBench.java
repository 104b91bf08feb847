package dev.gatun.bench;

import dev.gatun.random.RandomStream;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/// The product and the convolutions of [OpBench] as tuned Java.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class TunedBench {
  private static final int BATCH = 32;

  /// The instruction.
  @Param({"SGEMM_512", "CONV_16CH_32X32", "CONV_64CH_8X8"})
  public Work work = Work.SGEMM_512;

  private Runnable action = () -> {};

  /// Makes operands.
  @Setup(Level.Trial)
  public void setUp() {
    action =
        switch (work) {
          case SGEMM_512 -> product(512);
          case CONV_16CH_32X32 -> convolution(32, 16);
          case CONV_64CH_8X8 -> convolution(8, 64);
          default -> throw new IllegalArgumentException("no tuned Java version of " + work);
        };
  }

  /// The instruction.
  @Benchmark
  public void run() {
    action.run();
  }

  private static Runnable product(int n) {
    float[] c = new float[n * n];
    float[] a = random(n * n);
    float[] b = random(n * n);
    TunedSgemm.multiply(c, a, b, n, n, n);
    for (int at = 0; at < n * n; at += 4099) {
      double sum = 0;
      for (int p = 0; p < n; p++) {
        sum += (double) a[at / n * n + p] * b[p * n + at % n];
      }
      requireClose(sum, c[at]);
    }
    return () -> TunedSgemm.multiply(c, a, b, n, n, n);
  }

  private static Runnable convolution(int side, int channels) {
    float[] y = new float[BATCH * side * side * channels];
    float[] x = random(y.length);
    float[] w = random(channels * 9 * channels);
    TunedConv3x3.convolve(y, x, w, BATCH, side, side, channels, channels);
    for (int at = 0; at < y.length; at += 4099) {
      requireClose(element(x, w, at, side, channels), y[at]);
    }
    return () -> TunedConv3x3.convolve(y, x, w, BATCH, side, side, channels, channels);
  }

  /// Element `at` of the convolution, by its definition.
  private static double element(float[] x, float[] w, int at, int side, int channels) {
    int k = at % channels;
    int column = at / channels % side;
    int row = at / channels / side % side;
    int image = at / channels / side / side;
    double sum = 0;
    for (int tap = 0; tap < 9; tap++) {
      int i = row + tap / 3 - 1;
      int j = column + tap % 3 - 1;
      if (i >= 0 && j >= 0 && i < side && j < side) {
        for (int c = 0; c < channels; c++) {
          sum +=
              (double) x[((image * side + i) * side + j) * channels + c]
                  * w[(k * 9 + tap) * channels + c];
        }
      }
    }
    return sum;
  }

  /// A fast wrong answer is no rival.
  private static void requireClose(double expected, float found) {
    if (!(Math.abs(expected - found) <= 1e-4 * Math.abs(expected))) {
      throw new AssertionError("expected " + expected + ", found " + found);
    }
  }

  private static float[] random(int count) {
    RandomStream random = new RandomStream(1, count);
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = random.nextFloat();
    }
    return elements;
  }
}
