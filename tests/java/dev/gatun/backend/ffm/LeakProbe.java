package dev.gatun.backend.ffm;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;

/// Forgets a memory, a program and a backend, closes some more properly, and prints what is
/// reported.
final class LeakProbe {
  private LeakProbe() {}

  public static void main(String[] arguments) throws InterruptedException {
    try (FfmBackend backend = FfmBackend.cpu(1)) {
      ByteBuffer mapped = mapAndForget(backend);
      forget(backend);
      FfmBackend.cpu(1);
      closeAll(backend);
      awaitReports(3);
      awaitBytes(backend, 24);
      // The mapped bytes keep their memory: it is no leak yet, and they can be used.
      mapped.putInt(0, 1);
      System.out.println("held while mapped: " + backend.memoryUse().bytes());
      mapped = null;
      awaitReports(4);
      awaitBytes(backend, 0);
      System.out.println("count " + NativeLeaks.count());
      NativeLeaks.reports().forEach(report -> System.out.println("report: " + report));
    }
  }

  private static ByteBuffer mapAndForget(FfmBackend backend) {
    return backend.allocate(24, Memory.Kind.STAGING).map();
  }

  private static void forget(FfmBackend backend) {
    Memory memory = backend.allocate(4096, Memory.Kind.DEVICE);
    View view = memory.view(0, DType.F32, Shape.of(4));
    backend.record(b -> b.fill(view, 1));
  }

  private static void closeAll(FfmBackend backend) {
    try (Memory memory = backend.allocate(128, Memory.Kind.DEVICE);
        View view = memory.view(0, DType.F32, Shape.of(4));
        var program = backend.record(b -> b.fill(view, 1))) {
      program.run();
    }
    FfmBackend.cpu(1).close();
  }

  private static void awaitReports(int count) throws InterruptedException {
    for (int i = 0; i < 400 && NativeLeaks.count() < count; i++) {
      System.gc();
      Thread.sleep(5);
    }
  }

  /// A leak is counted before it is freed.
  private static void awaitBytes(FfmBackend backend, long bytes) throws InterruptedException {
    for (int i = 0; i < 400 && backend.memoryUse().bytes() > bytes; i++) {
      System.gc();
      Thread.sleep(5);
    }
  }
}
