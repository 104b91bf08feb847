package dev.gatun.bench.peers;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// Starts the sides' processes, each with the settings that suit it best.
final class Sides {
  private static final Map<String, String> MAINS =
      Map.of(
          "gatun", "dev.gatun.bench.peers.GatunSide",
          "tensorflow", "dev.gatun.bench.peers.tensorflow.TensorFlowSide",
          "pytorch", "dev.gatun.bench.peers.pytorch.PyTorchSide",
          "djl", "dev.gatun.bench.peers.djl.DjlSide",
          "dl4j", "dev.gatun.bench.peers.dl4j.Dl4jSide");

  private final Path root;
  private final List<Path> tcmalloc;

  Sides(Path root) throws IOException {
    this.root = root;
    this.tcmalloc = findTcmalloc();
  }

  /// The preloaded library, or why there is none.
  String tcmalloc() {
    return tcmalloc.isEmpty()
        ? "not installed (libtcmalloc-minimal4): the PyTorch sides use the C library's malloc"
        : tcmalloc.getFirst().toString();
  }

  /// A running side.
  ///
  /// @throws IllegalArgumentException if there is no side of this name
  WorkerProcess start(String name, int threads) throws IOException {
    String main = MAINS.get(name);
    if (main == null) {
      throw new IllegalArgumentException(
          "there is no side named %s, only %s"
              .formatted(name, MAINS.keySet().stream().sorted().toList()));
    }
    boolean own = name.equals(Report.GATUN);
    Path bench = root.resolve("bench");
    Path module = own ? bench : bench.resolve("peers").resolve(name);
    Path cache = root.resolve("build/peers");
    Files.createDirectories(cache);
    String classPath =
        String.join(
            File.pathSeparator,
            bench.resolve("target/classes").toString(),
            module.resolve("target/classes").toString(),
            module.resolve("target/libraries") + "/*");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx6g",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "--class-path",
                classPath));
    if (!own) {
      command.add("-Dorg.bytedeco.javacpp.cachedir=" + cache.resolve("javacpp-" + name));
      command.add("-Dorg.bytedeco.javacpp.maxphysicalbytes=0");
      command.add("-Dai.djl.offline=true");
    }
    if (name.equals("dl4j")) {
      String level = HostMachine.hasFeature("avx512f") ? "avx512" : "avx2";
      command.add("-Dorg.bytedeco.javacpp.platform.extension=-onednn-" + level);
    }
    command.add(main);
    command.add(Integer.toString(threads));
    return new WorkerProcess(
        name, command, environment(name, threads, cache), cache.resolve(name + ".log").toFile());
  }

  private Map<String, String> environment(String name, int threads, Path cache) {
    Map<String, String> environment = new HashMap<>();
    if (name.equals(Report.GATUN)) {
      return environment;
    }
    environment.put("OMP_NUM_THREADS", Integer.toString(threads));
    environment.put("MKL_NUM_THREADS", Integer.toString(threads));
    environment.put("OMP_WAIT_POLICY", "passive");
    environment.put("OPT_OUT_TRACKING", "true");
    environment.put("DJL_CACHE_DIR", cache.resolve("djl").toString());
    environment.put("TF_CPP_MIN_LOG_LEVEL", "1");
    environment.put("TF_ENABLE_ONEDNN_OPTS", "1");
    if (name.equals("pytorch") || name.equals("djl")) {
      tcmalloc.forEach(library -> environment.put("LD_PRELOAD", library.toString()));
    }
    return environment;
  }

  private static List<Path> findTcmalloc() throws IOException {
    for (String folder : List.of("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")) {
      Path path = Path.of(folder);
      if (Files.isDirectory(path)) {
        try (Stream<Path> files = Files.list(path)) {
          List<Path> found =
              files
                  .filter(file -> file.getFileName().toString().equals("libtcmalloc_minimal.so.4"))
                  .toList();
          if (!found.isEmpty()) {
            return found;
          }
        }
      }
    }
    return List.of();
  }
}
