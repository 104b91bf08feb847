package dev.gatun.cli;

import dev.gatun.cli.plot.Drawing;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// What options may be. Null stands for an option that is not given.
final class Checks {
  private Checks() {}

  /// A number of at least 1.
  static void positive(String option, @Nullable Number value) {
    if (value != null && value.longValue() < 1) {
      throw new UsageException(option + " expects a number of at least 1, found " + value);
    }
  }

  /// A finite number greater than 0.
  static void above0(String option, @Nullable Double value) {
    if (value != null && !(value > 0 && Double.isFinite(value))) {
      throw new UsageException(option + " expects a number greater than 0, found " + value);
    }
  }

  /// A finite number of at least 0.
  static void atLeast0(String option, @Nullable Double value) {
    if (value != null && !(value >= 0 && Double.isFinite(value))) {
      throw new UsageException(option + " expects a number of at least 0, found " + value);
    }
  }

  /// A file, there or not, in a folder that is there.
  static void writable(String option, @Nullable Path file) {
    Path parent = file == null ? null : file.toAbsolutePath().getParent();
    if (parent != null && !Files.isDirectory(parent)) {
      throw new UsageException(option + ": there is no folder " + parent);
    }
    if (file != null && Files.isDirectory(file)) {
      throw new UsageException(option + " expects a file, and " + file + " is a folder");
    }
  }

  /// Such a file with the name of a picture that Gatun draws.
  static void drawable(String option, @Nullable Path file) {
    writable(option, file);
    if (file != null && !Drawing.knows(file)) {
      throw new UsageException(
          option + " expects a name that ends in .svg or .png, found " + file.getFileName());
    }
  }
}
