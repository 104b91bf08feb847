package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.gatun.Device;
import dev.gatun.backend.Backend;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.backend.reference.ReferenceBackend;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// What is tested, opened once for all suites. Without the native library its cases are skipped;
/// with `-Dgatun.require.native=true` they fail.
public enum Backends {
  /// Plain Java.
  REFERENCE,
  /// The native library.
  CPU;

  private static final int THREADS = 2;
  private static final Backend JAVA = new ReferenceBackend();
  private static final Map<Integer, Backend> NATIVE = new ConcurrentHashMap<>();
  private static final Map<Backends, Device> DEVICES = new ConcurrentHashMap<>();

  /// The backend.
  public Backend backend() {
    return this == REFERENCE ? JAVA : cpu(THREADS);
  }

  /// A device on such a backend.
  public Device device() {
    if (this == CPU) {
      requireNative();
    }
    return DEVICES.computeIfAbsent(
        this, any -> this == REFERENCE ? Device.reference() : Device.cpu(THREADS));
  }

  /// The native backend with `threads` threads.
  public static Backend cpu(int threads) {
    requireNative();
    return NATIVE.computeIfAbsent(threads, FfmBackend::cpu);
  }

  /// Skips the test without the native library.
  public static void requireNative() {
    FfmBackend.unavailableReason()
        .ifPresent(
            reason -> {
              if (Boolean.getBoolean("gatun.require.native")) {
                fail(reason);
              }
              abort("no native library: " + reason);
            });
  }

  @Override
  public String toString() {
    return this == REFERENCE ? "reference" : "cpu";
  }
}
