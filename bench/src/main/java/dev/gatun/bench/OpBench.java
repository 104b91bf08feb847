package dev.gatun.bench;

import dev.gatun.backend.Backend;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.backend.reference.ReferenceBackend;
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

/// One instruction, native and in plain Java.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class OpBench {
  /// The instruction.
  @Param public Work work = Work.ADD;

  /// Who computes it.
  @Param public Contender contender = Contender.NATIVE;

  private Runnable action = () -> {};
  private Runnable cleanup = () -> {};

  /// Who computes.
  public enum Contender {
    /// The native library on all processors.
    NATIVE,
    /// The reference backend's plain loops, one thread.
    PLAIN_JAVA
  }

  /// Makes operands.
  @Setup(Level.Trial)
  public void setUp() {
    Backend backend = contender == Contender.NATIVE ? FfmBackend.cpu(0) : new ReferenceBackend();
    Work.Ready ready = work.on(backend);
    action = ready::run;
    cleanup =
        () -> {
          ready.close();
          backend.close();
        };
  }

  /// Gives everything back.
  @TearDown(Level.Trial)
  public void tearDown() {
    cleanup.run();
  }

  /// The instruction.
  @Benchmark
  public void run() {
    action.run();
  }
}
