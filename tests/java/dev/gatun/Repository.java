package dev.gatun;

import java.nio.file.Files;
import java.nio.file.Path;

/// The repository that these tests are of, for those that read its files.
public final class Repository {
  private static final Path ROOT = find();

  private Repository() {}

  public static Path root() {
    return ROOT;
  }

  /// A file or folder of the repository, by its path from the root.
  public static Path file(String path) {
    return ROOT.resolve(path);
  }

  /// From the build, or upwards from here.
  private static Path find() {
    Path folder = Path.of(System.getProperty("gatun.root", "")).toAbsolutePath();
    while (!Files.exists(folder.resolve("native/include/gatun.h"))) {
      Path parent = folder.getParent();
      if (parent == null) {
        throw new AssertionError("native/include/gatun.h was not found; set -Dgatun.root");
      }
      folder = parent;
    }
    return folder;
  }
}
