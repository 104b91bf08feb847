package dev.gatun.ffi.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Shape;
import dev.gatun.ffi.NativeLibrary;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A Java process of its own for what a process decides once: how the library is found, what its
/// properties say. Its class path holds Gatun's classes and the tests', but no native library.
public final class ChildJvm {
  private final List<String> options = new ArrayList<>();
  private final List<Path> classPath = new ArrayList<>();
  private final Map<String, String> environment = new HashMap<>(System.getenv());

  /// A process with native access for class path and with the tests' classes.
  public ChildJvm() {
    classPath.add(location(Shape.class));
    classPath.add(location(ChildJvm.class));
    options.add("-Xmx256m");
  }

  /// The directory or jar that a class comes from.
  public static Path location(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (java.net.URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /// Adds Gatun's bindings to the class path.
  public ChildJvm bindingsOnClassPath() {
    classPath.add(location(NativeLibrary.class));
    return this;
  }

  /// Adds Gatun's bindings to the class path, and lets them call this process's native library.
  public ChildJvm withLibrary() {
    return bindingsOnClassPath()
        .with("--enable-native-access=ALL-UNNAMED", "-Dgatun.library=" + NativeLibrary.file());
  }

  /// Adds options of the JVM.
  public ChildJvm with(String... more) {
    options.addAll(List.of(more));
    return this;
  }

  /// Sets a variable of the environment, which is otherwise this process's; null takes it away.
  public ChildJvm environment(String variable, @Nullable String value) {
    if (value == null) {
      environment.remove(variable);
    } else {
      environment.put(variable, value);
    }
    return this;
  }

  /// Adds a place to the class path.
  public ChildJvm onClassPath(Path place) {
    classPath.add(place);
    return this;
  }

  /// Runs the main class to its end, expects exit status 0 and returns what it printed on either
  /// stream.
  public String run(Class<?> main, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.add("-cp");
    command.add(String.join(File.pathSeparator, classPath.stream().map(Path::toString).toList()));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    Path output = Files.createTempFile("child", ".txt");
    try {
      ProcessBuilder builder =
          new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
      builder.environment().clear();
      builder.environment().putAll(environment);
      Process process = builder.start();
      boolean ended = process.waitFor(120, TimeUnit.SECONDS);
      if (!ended) {
        process.destroyForcibly();
      }
      String text = Files.readString(output);
      assertTrue(ended, () -> "the child did not end: " + command + "\n" + text);
      assertEquals(0, process.exitValue(), () -> command + "\n" + text);
      return text;
    } finally {
      Files.delete(output);
    }
  }
}
