package dev.gatun.ffi;

import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/// The machine as native libraries see it.
///
/// @param name such as `linux-x86_64`, the directory of its library in a jar
/// @param libraryFile such as `libgatun.so`
/// @param description one line for error messages
record Platform(String name, String libraryFile, String description) {
  static Platform current() {
    String osName = System.getProperty("os.name", "");
    String archName = System.getProperty("os.arch", "");
    String name = os(osName) + "-" + arch(archName);
    String libc = os(osName).equals("linux") ? (hasMusl() ? ", musl" : ", glibc") : "";
    String description =
        "%s %s, %s%s, Java %s"
            .formatted(osName, System.getProperty("os.version"), archName, libc, Runtime.version());
    return new Platform(name, System.mapLibraryName("gatun"), description);
  }

  private static String os(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (lower.startsWith("mac") || lower.startsWith("darwin")) {
      return "osx";
    }
    return lower.startsWith("windows") ? "windows" : lower.replace(' ', '_');
  }

  private static String arch(String name) {
    return switch (name) {
      case "amd64", "x86_64", "x64" -> "x86_64";
      case "arm64", "aarch64" -> "aarch64";
      default -> name;
    };
  }

  /// Musl's loader lies at a fixed place; a library built for glibc does not load there.
  private static boolean hasMusl() {
    try (DirectoryStream<Path> loaders =
        Files.newDirectoryStream(Path.of("/lib"), "ld-musl-*.so.1")) {
      return loaders.iterator().hasNext();
    } catch (Exception unreadable) {
      return false;
    }
  }
}
