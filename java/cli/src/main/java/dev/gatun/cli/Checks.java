package dev.gatun.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// What options must be, found out before anything is read or computed.
final class Checks {
  private Checks() {}

  static void positive(String option, long value) {
    if (value < 1) {
      throw new UsageException(option + " expects a number of at least 1, found " + value);
    }
  }

  /// A file that can be written as far as folders tell.
  static void writable(String option, @Nullable Path file) {
    Path parent = file == null ? null : file.toAbsolutePath().getParent();
    if (parent != null && !Files.isDirectory(parent)) {
      throw new UsageException(option + ": there is no folder " + parent);
    }
    if (file != null && Files.isDirectory(file)) {
      throw new UsageException(option + " expects a file, and " + file + " is a folder");
    }
  }
}
