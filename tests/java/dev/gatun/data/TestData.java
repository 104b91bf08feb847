package dev.gatun.data;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/// Where the real data sets are: `-Dgatun.data`, the environment variable `GATUN_DATA`, or
/// `../shared/data` beside the project.
public final class TestData {
  private TestData() {}

  /// The folder `name` of the real data; the test is skipped where that is missing.
  public static Path folder(String name) {
    Path root = root();
    Path folder = root.resolve(name);
    assumeTrue(Files.isDirectory(folder), "no real data in " + folder + " (set GATUN_DATA)");
    return folder;
  }

  private static Path root() {
    String given = System.getProperty("gatun.data", System.getenv("GATUN_DATA"));
    if (given != null && !given.isEmpty()) {
      return Path.of(given);
    }
    Path besideProject = Path.of("../shared/data");
    // Tests of a Maven module run in the folder of the module.
    return Files.isDirectory(besideProject) ? besideProject : Path.of("../../shared/data");
  }
}
