package dev.gatun.cli;

import dev.gatun.Device;
import picocli.CommandLine.Option;

/// Where to compute.
final class DeviceOptions {
  enum BackendName {
    cpu,
    cuda,
    reference
  }

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "Where to compute: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).",
      defaultValue = "cpu")
  private BackendName backend = BackendName.cpu;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of the cpu backend (default: one for each processor).",
      defaultValue = "0")
  private int threads;

  void check() {
    if (threads < 0) {
      throw new UsageException("--threads expects a number of at least 0, found " + threads);
    }
  }

  Device open() {
    try {
      return switch (backend) {
        case cpu -> Device.cpu(threads);
        case cuda -> Device.cuda(0);
        case reference -> Device.reference();
      };
    } catch (IllegalArgumentException e) {
      throw new UsageException("--threads " + threads + ": " + e.getMessage());
    }
  }
}
