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
    return () -> TunedSgemm.multiply(c, a, b, n, n, n);
  }

  private static Runnable convolution(int side, int channels) {
    float[] y = new float[BATCH * side * side * channels];
    float[] x = random(y.length);
    float[] w = random(channels * 9 * channels);
    return () -> TunedConv3x3.convolve(y, x, w, BATCH, side, side, channels, channels);
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
