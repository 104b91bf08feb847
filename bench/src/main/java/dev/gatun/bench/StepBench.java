package dev.gatun.bench;

import dev.gatun.Device;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Trainer;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// A whole training step of ResNet-20: forward, backward and SGD with momentum.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2)
@Measurement(iterations = 5)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class StepBench {
  /// Pictures in a step.
  @Param("32")
  public int batch = 32;

  /// Who computes it: `cpu` with this many threads, or `reference`.
  @Param({"cpu-2", "cpu-1", "reference"})
  public String backend = "cpu-2";

  private Device device = Device.reference();
  private Trainer trainer = Trainer.of(ResNet.cifar(20, 10));
  private float[] images = {};
  private int[] labels = {};

  /// Compiles the step and draws a batch.
  @Setup(Level.Trial)
  public void setUp() {
    device =
        backend.equals("reference")
            ? Device.reference()
            : Device.cpu(Integer.parseInt(backend.substring("cpu-".length())));
    trainer =
        Trainer.of(ResNet.cifar(20, 10))
            .on(device)
            .optimizer(Optimizer.sgd(0.1).momentum(0.9).weightDecay(1e-4));
    RandomStream random = new RandomStream(1, 0);
    images = new float[batch * 32 * 32 * 3];
    labels = new int[batch];
    for (int i = 0; i < images.length; i++) {
      images[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < batch; i++) {
      labels[i] = random.nextInt(10);
    }
  }

  /// Gives everything back.
  @TearDown(Level.Trial)
  public void tearDown() {
    trainer.close();
    device.close();
  }

  /// The step.
  @Benchmark
  public float step() {
    return trainer.step(images, labels, 0.01);
  }
}
