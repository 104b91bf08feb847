package dev.gatun.bench.peers;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/// The machine of a run.
///
/// @param cpu the processor's name
/// @param cores how many the process may use
/// @param memoryBytes the machine's memory
/// @param os the operating system
/// @param jdk the Java runtime
/// @param loadBefore the load average of the last minute when the run began
/// @param loadAfter and when it ended
/// @param tcmalloc the library that the PyTorch sides' memory comes from, or why there is none
/// @param versions of the sides
public record HostMachine(
    String cpu,
    int cores,
    long memoryBytes,
    String os,
    String jdk,
    double loadBefore,
    double loadAfter,
    String tcmalloc,
    Map<String, String> versions) {

  /// The load average of the last minute; negative if the system does not tell.
  public static double load() {
    return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
  }

  /// This machine.
  public static HostMachine of(double loadBefore, String tcmalloc, Map<String, String> versions) {
    String memory = line("/proc/meminfo", line -> line.startsWith("MemTotal"));
    String digits = memory.replaceAll("\\D", "");
    return new HostMachine(
        line("/proc/cpuinfo", line -> line.startsWith("model name")).replaceFirst(".*:\\s*", ""),
        Runtime.getRuntime().availableProcessors(),
        digits.isEmpty() ? -1 : Long.parseLong(digits) * 1024,
        String.join(
            " ",
            List.of(
                System.getProperty("os.name"),
                System.getProperty("os.version"),
                System.getProperty("os.arch"))),
        Runtime.version().toString(),
        loadBefore,
        load(),
        tcmalloc,
        versions);
  }

  /// Whether the processor has a feature, named as in `/proc/cpuinfo`.
  static boolean hasFeature(String flag) {
    String flags = line("/proc/cpuinfo", line -> line.startsWith("flags"));
    return List.of(flags.split("\\s+")).contains(flag);
  }

  /// The first such line of a file; empty if there is none.
  private static String line(String file, Predicate<String> wanted) {
    try {
      return Files.readAllLines(Path.of(file)).stream().filter(wanted).findFirst().orElse("");
    } catch (IOException e) {
      return "";
    }
  }
}
