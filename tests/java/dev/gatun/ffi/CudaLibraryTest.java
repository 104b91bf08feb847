package dev.gatun.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.Repository;
import dev.gatun.ffi.probe.ChildJvm;
import dev.gatun.ffi.probe.CudaLocationProbe;
import dev.gatun.ffi.probe.CudaProbe;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// How the library for GPUs is found, and which device is the best. Each case is a process of its
/// own, whose library for GPUs is the emulation: a CUDA device that is no GPU.
class CudaLibraryTest {
  private static final String VARIABLE = CudaLibrary.VARIABLE;

  @TempDir Path directory;
  private final Platform platform = Platform.current();
  private Path emulation = Path.of("");
  private Path cache = Path.of("");

  @BeforeEach
  void emulationIsThere() throws IOException {
    NativeLibrary.load();
    String named = System.getenv(VARIABLE);
    assumeTrue(named != null && named.contains("emulated"), "another CUDA library is tested");
    emulation = Path.of(Objects.requireNonNull(named));
    cache = directory.resolve("cache");
    Files.createDirectory(directory.resolve("tmp"));
  }

  /// Neither the variable nor a library beside.
  private ChildJvm child() throws IOException {
    return child(NativeLibrary.file());
  }

  private ChildJvm child(Path original) throws IOException {
    Path alone = Files.createDirectories(directory.resolve("alone"));
    Path copy = alone.resolve(platform.libraryFile());
    if (!Files.exists(copy)) {
      Files.copy(original, copy);
    }
    return new ChildJvm()
        .bindingsOnClassPath()
        .environment(VARIABLE, null)
        .with(
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.io.tmpdir=" + directory.resolve("tmp"),
            "-Duser.home=" + directory.resolve("home"),
            "-Dgatun.cache=" + cache,
            "-Djava.library.path=" + alone);
  }

  private static void assertOpened(String output) {
    assertTrue(output.contains("\ncuda cuda 0, "), output);
  }

  private static void assertRefused(String output, String... parts) {
    assertTrue(output.contains("best cpu\nrefused "), output); // the JVM may warn before
    for (String part : parts) {
      assertTrue(output.contains(part), () -> "expected \"" + part + "\" in\n" + output);
    }
  }

  @Test
  void nothingAnywhere_listsEveryPlaceAndLeavesTheCpu() throws Exception {
    assertRefused(
        child().run(CudaProbe.class),
        "Looked for: libgatun_cuda.so for " + platform.name(),
        "1. class path and module path: no resource META-INF/native/"
            + platform.name()
            + "/libgatun_cuda.so",
        "2. beside the native library: no " + directory.resolve("alone/libgatun_cuda.so"),
        "gatun-bindings with classifier " + platform.name() + "-cuda",
        VARIABLE);
  }

  @Test
  void resource_isUnpackedAndLoaded() throws Exception {
    assertOpened(child().onClassPath(resource(emulation)).run(CudaProbe.class));
    assertEquals(List.of(unpacked(emulation)), files(cache));
  }

  @Test
  void emulation_isNotTheBestDevice() throws Exception {
    String output = child().onClassPath(resource(emulation)).run(CudaProbe.class);
    assertTrue(output.startsWith("best cpu\n"), output);
  }

  /// The library for GPUs as nvcc makes it, on a machine that shows it none.
  @Test
  void withoutAGpu_theCpuIsTheBestDevice() throws Exception {
    Path library = Repository.file("build/release/native/libgatun_cuda.so");
    assumeTrue(Files.exists(library), "built without nvcc");
    ChildJvm child = child().onClassPath(resource(library)).environment("CUDA_VISIBLE_DEVICES", "");
    assertRefused(child.run(CudaProbe.class), "there is no CUDA device 0: ");
  }

  @Test
  void resourceThatDoesNotMatchItsChecksum_isRefused() throws Exception {
    Path resources = resource(emulation);
    Path folder = resources.resolve("META-INF/native/" + platform.name());
    Files.writeString(folder.resolve("libgatun_cuda.so.sha256"), "0".repeat(64) + "\n");
    assertRefused(
        child().onClassPath(resources).run(CudaProbe.class),
        "the resource is damaged: expected SHA-256 " + "0".repeat(64));
    assertEquals(List.of(), files(cache));
  }

  @Test
  void resourceThatIsNoLibrary_tellsWhatTheSystemSaid() throws Exception {
    Path text = Files.writeString(directory.resolve("text.so"), "this is no library");
    assertRefused(
        child().onClassPath(resource(text)).run(CudaProbe.class),
        unpacked(text) + ": " + unpacked(text));
  }

  @Test
  void variable_isAskedFirst() throws Exception {
    String output =
        child()
            .onClassPath(resource(emulation))
            .environment(VARIABLE, "/no/such/libgatun_cuda.so")
            .run(CudaProbe.class);
    assertRefused(output, "/no/such/libgatun_cuda.so");
    assertFalse(Files.exists(cache), "nothing is unpacked");
  }

  /// As scripts leave it that hand on what they were not given.
  @Test
  void emptyVariable_namesNothing() throws Exception {
    ChildJvm child = child().environment(VARIABLE, "");
    assertRefused(child.run(CudaProbe.class), "What to do: put the jar gatun-bindings");
    assertOpened(child.onClassPath(resource(emulation)).run(CudaProbe.class));
  }

  @Test
  void libraryBesideTheNativeOne_isAskedLast() throws Exception {
    ChildJvm child = child();
    Files.copy(emulation, directory.resolve("alone/libgatun_cuda.so"));
    assertOpened(child.run(CudaProbe.class));
    assertFalse(Files.exists(cache), "nothing is unpacked");
  }

  @Test
  void explicitNativeLibrary_hasItsOwnBeside() throws Exception {
    ChildJvm child = child().onClassPath(resource(emulation));
    Path library = directory.resolve("alone").resolve(platform.libraryFile());
    assertRefused(
        child.with("-Dgatun.library=" + library).run(CudaProbe.class),
        "1. beside the native library: no " + directory.resolve("alone/libgatun_cuda.so"));
  }

  @Test
  void jarOnTheModulePath_isFoundOnceItsModuleIsAdded() throws Exception {
    Path bindings = ChildJvm.location(NativeLibrary.class);
    assumeTrue(
        Files.exists(bindings.resolve("module-info.class")) || Files.isRegularFile(bindings),
        "the bindings were compiled without their module descriptor");
    Path jar = jar(resource(emulation));
    String[] options = {
      "-p",
      bindings + File.pathSeparator + jar,
      "--add-exports=dev.gatun.ffi/dev.gatun.ffi=ALL-UNNAMED",
      "--enable-native-access=dev.gatun.ffi",
      "-Dgatun.cache=" + cache
    };
    child(); // makes the folder
    String alone = "-Djava.library.path=" + directory.resolve("alone");
    assertTrue(
        modular(options, alone, "dev.gatun.ffi")
            .contains("on the module path,\n    with --add-modules dev.gatun.natives.cuda"));
    assertEquals("found\n", modular(options, alone, "dev.gatun.ffi,dev.gatun.natives.cuda"));
  }

  private static String modular(String[] options, String libraryPath, String modules)
      throws Exception {
    return new ChildJvm()
        .environment(VARIABLE, null)
        .with(options)
        .with(libraryPath, "--add-modules=" + modules)
        .run(CudaLocationProbe.class);
  }

  /// A class path with a library as the jar for GPUs has it.
  private Path resource(Path library) throws Exception {
    Path resources = directory.resolve("resources");
    Path folder = Files.createDirectories(resources.resolve("META-INF/native/" + platform.name()));
    Files.copy(library, folder.resolve("libgatun_cuda.so"));
    Files.writeString(folder.resolve("libgatun_cuda.so.sha256"), sha256(library) + "\n");
    return resources;
  }

  private Path jar(Path resources) throws IOException {
    Path jar = directory.resolve("native-cuda.jar");
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
    manifest.getMainAttributes().putValue("Automatic-Module-Name", "dev.gatun.natives.cuda");
    try (var out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
      for (Path file : files(resources)) {
        out.putNextEntry(new ZipEntry(resources.relativize(file).toString()));
        Files.copy(file, out);
      }
    }
    return jar;
  }

  private Path unpacked(Path library) throws Exception {
    return cache.resolve(sha256(library)).resolve("libgatun_cuda.so");
  }

  private static String sha256(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    return HexFormat.of().formatHex(digest.digest(Files.readAllBytes(file)));
  }

  private static List<Path> files(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return List.of();
    }
    try (Stream<Path> tree = Files.walk(directory)) {
      return tree.filter(Files::isRegularFile).toList();
    }
  }
}
