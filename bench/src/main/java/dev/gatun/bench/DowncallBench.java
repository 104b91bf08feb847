package dev.gatun.bench;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.ffi.gatun_h;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// What crossing costs: a call that does nothing, an empty program, an eager instruction on 16
/// numbers.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DowncallBench {
  private final Backend backend = FfmBackend.cpu(1);
  private final Memory memory = backend.allocate(64, Memory.Kind.DEVICE);
  private final View view = memory.view(0, DType.F32, Shape.of(16));
  private final Program empty = backend.record(recorder -> {});
  private final Program add =
      backend.record(recorder -> recorder.binary(view, view, view, Backend.Binary.ADD));

  /// Loads the library.
  @Setup(Level.Trial)
  public void setUp() {
    empty.run();
  }

  /// Gives everything back.
  @TearDown(Level.Trial)
  public void tearDown() {
    add.close();
    empty.close();
    view.close();
    memory.close();
    backend.close();
  }

  /// A function that returns a constant.
  @Benchmark
  public int trivialCall() {
    return gatun_h.gt_abi_version();
  }

  /// A program without instructions.
  @Benchmark
  public void emptyProgram() {
    empty.run();
  }

  /// A program with one addition of 16 numbers.
  @Benchmark
  public void recordedAdd() {
    add.run();
  }

  /// The same addition, eagerly.
  @Benchmark
  public void eagerAdd() {
    backend.binary(view, view, view, Backend.Binary.ADD);
  }
}
