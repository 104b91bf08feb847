package dev.gatun.cli;

import dev.gatun.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Where a run took place.
///
/// @param system the operating system and its architecture
/// @param processor the processor's name
/// @param processors how many the process may use
/// @param java the Java runtime
/// @param device the device's own description
record Machine(String system, String processor, int processors, String java, String device) {
  static Machine of(Device device) {
    return new Machine(
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        procValue("/proc/cpuinfo", "model name").orElse("unknown"),
        Runtime.getRuntime().availableProcessors(),
        Runtime.version().toString(),
        device.description());
  }

  /// The process's greatest resident set in bytes, or `otherwise` where the system does not tell.
  static long peakResidentBytes(long otherwise) {
    return procValue("/proc/self/status", "VmHWM")
        .map(value -> Long.parseLong(value.replace("kB", "").strip()) * 1024)
        .orElse(otherwise);
  }

  private static Optional<String> procValue(String file, String key) {
    try {
      return Files.readAllLines(Path.of(file)).stream()
          .filter(line -> line.startsWith(key))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
