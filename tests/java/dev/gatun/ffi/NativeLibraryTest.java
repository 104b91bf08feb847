package dev.gatun.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.ffi.probe.ChildJvm;
import dev.gatun.ffi.probe.LoaderProbe;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// How the library is found, and what a user reads when it is not. Each case is a process of its
/// own.
class NativeLibraryTest {
  @TempDir Path directory;
  private Platform platform = Platform.current();
  private Path cache = Path.of("");

  @BeforeEach
  void libraryIsThere() throws IOException {
    Files.createDirectory(directory.resolve("tmp"));
    NativeLibrary.load();
    platform = Platform.current();
    cache = directory.resolve("cache");
  }

  private ChildJvm child() {
    return new ChildJvm()
        .bindingsOnClassPath()
        .with(
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.io.tmpdir=" + directory.resolve("tmp"),
            "-Duser.home=" + directory.resolve("home"),
            "-Djava.library.path=" + directory.resolve("empty"));
  }

  private static String load(ChildJvm child) throws Exception {
    return child.run(LoaderProbe.class);
  }

  private static void assertAvailable(String output, Path file) {
    assertTrue(output.contains("loaded " + file + "\n"), output);
  }

  private static void assertUnavailable(String output, String... parts) {
    assertTrue(
        output.contains("refused\nNativeLibraryException\nNativeLibraryException\n"), output);
    assertFalse(output.contains("ExceptionInInitializerError"), output);
    for (String part : parts) {
      assertTrue(output.contains(part), () -> "expected \"" + part + "\" in\n" + output);
    }
  }

  @Test
  void explicitPath_isLoaded() throws Exception {
    Path file = NativeLibrary.file();
    assertAvailable(load(child().with("-Dgatun.library=" + file)), file);
  }

  @Test
  void explicitPathWithoutFile_namesThePathAndTriesNothingElse() throws Exception {
    String output = load(child().with("-Dgatun.library=/no/such/libgatun.so"));
    assertUnavailable(
        output,
        "Looked for: " + platform.libraryFile() + " for " + platform.name(),
        platform.description(),
        "1. system property gatun.library = /no/such/libgatun.so: there is no such file",
        "no other place was tried",
        "-Dgatun.library=/path/to/" + platform.libraryFile());
    assertFalse(output.contains("2."), output);
  }

  @Test
  void explicitPathToSomethingElse_tellsWhatTheSystemSaid() throws Exception {
    Path file = directory.resolve("text.so");
    Files.writeString(file, "this is no library");
    assertUnavailable(
        load(child().with("-Dgatun.library=" + file)), "gatun.library = " + file + ": " + file);
  }

  @Test
  void nothingAnywhere_listsEveryPlace() throws Exception {
    assertUnavailable(
        load(child()),
        "1. class path and module path: no resource META-INF/native/" + platform.name(),
        "2. java.library.path: no " + platform.libraryFile() + " in " + directory.resolve("empty"),
        "gatun-bindings with classifier " + platform.name());
  }

  @Test
  void libraryPath_isSearchedLast() throws Exception {
    Path second = Files.createDirectories(directory.resolve("second"));
    Files.copy(NativeLibrary.file(), second.resolve(platform.libraryFile()));
    String path = directory.resolve("first") + File.pathSeparator + second;
    assertAvailable(
        load(child().with("-Djava.library.path=" + path)), second.resolve(platform.libraryFile()));
  }

  @Test
  void libraryPath_isSearchedBehindWhatIsNoPathInThisLocale() throws Exception {
    Path second = Files.createDirectories(directory.resolve("second"));
    Files.copy(NativeLibrary.file(), second.resolve(platform.libraryFile()));
    Path options = directory.resolve("options");
    Files.writeString(
        options, "-Djava.library.path=/opt/b\u00fccher" + File.pathSeparator + second);
    ChildJvm child = child().environment("LC_ALL", "C").with("@" + options);
    assertAvailable(load(child), second.resolve(platform.libraryFile()));
  }

  @Test
  void resource_isUnpackedOnceForTheOwnerOnly() throws Exception {
    ChildJvm child = child().onClassPath(resource()).with("-Dgatun.cache=" + cache);
    Path folder = cache.resolve(sha256(NativeLibrary.file()));
    Path file = folder.resolve(platform.libraryFile());
    assertAvailable(load(child), file);
    assertEquals("rwx------", mode(cache));
    assertEquals("rwx------", mode(folder));
    assertEquals("rwx------", mode(file));
    assertEquals(List.of(file), files(cache));

    FileTime unpacked = FileTime.fromMillis(1_000_000);
    Files.setLastModifiedTime(file, unpacked);
    assertAvailable(load(child), file);
    assertEquals(unpacked, Files.getLastModifiedTime(file), "the file was not reused");
  }

  @Test
  void unpackedFileThatWasChanged_isReplaced() throws Exception {
    ChildJvm child = child().onClassPath(resource()).with("-Dgatun.cache=" + cache);
    Path file = cache.resolve(sha256(NativeLibrary.file())).resolve(platform.libraryFile());
    load(child);
    Files.writeString(file, "something else");
    assertAvailable(load(child), file);
    assertEquals(sha256(NativeLibrary.file()), sha256(file));
  }

  @Test
  void resourceThatDoesNotMatchItsChecksum_isRefused() throws Exception {
    Path resources = resource();
    Path library = resources.resolve("META-INF/native/" + platform.name());
    Files.writeString(
        library.resolve(platform.libraryFile() + ".sha256"), "0".repeat(64) + " *libgatun.so\n");
    assertUnavailable(
        load(child().onClassPath(resources).with("-Dgatun.cache=" + cache)),
        "the resource is damaged: expected SHA-256 "
            + "0".repeat(64)
            + ", found "
            + sha256(NativeLibrary.file()));
    assertEquals(List.of(), files(cache));
  }

  @Test
  void resourceWithoutChecksum_isRefused() throws Exception {
    Path resources = resource();
    Path library = resources.resolve("META-INF/native/" + platform.name());
    Files.delete(library.resolve(platform.libraryFile() + ".sha256"));
    assertUnavailable(load(child().onClassPath(resources)), "no checksum beside it");
  }

  @Test
  void cacheThatCannotBeWritten_fallsBackToTheTemporaryDirectory() throws Exception {
    Files.writeString(cache, "a file where a directory should be");
    String output = load(child().onClassPath(resource()).with("-Dgatun.cache=" + cache));
    assertTrue(output.contains("loaded " + directory.resolve("tmp").resolve("gatun-")), output);
  }

  @Test
  void cacheThatOthersMayWriteTo_isNotUsed() throws Exception {
    Files.createDirectories(cache);
    Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwxrwxrwx"));
    String output = load(child().onClassPath(resource()).with("-Dgatun.cache=" + cache));
    assertTrue(output.contains("loaded " + directory.resolve("tmp").resolve("gatun-")), output);
  }

  /// The system loads from absolute paths alone.
  @Test
  void relativeCache_isUsed() throws Exception {
    Path relative = Path.of("").toAbsolutePath().relativize(cache.toAbsolutePath());
    String output = load(child().onClassPath(resource()).with("-Dgatun.cache=" + relative));
    Path file = cache.resolve(sha256(NativeLibrary.file())).resolve(platform.libraryFile());
    assertTrue(output.startsWith("loaded "), output);
    assertTrue(Files.isSameFile(file, Path.of(output.substring(7).strip())), output);
  }

  /// In the locale C, Java has no path for a home directory such as `/home/jürgen`.
  @Test
  void directoryWithoutAPath_isPassedOver() throws Exception {
    Path options = directory.resolve("options");
    Files.writeString(options, "-Duser.home=/home/j\u00fcrgen");
    ChildJvm child = child().onClassPath(resource()).environment("LC_ALL", "C").with("@" + options);
    String output = load(child);
    assertTrue(output.contains("loaded " + directory.resolve("tmp").resolve("gatun-")), output);

    Path file = Files.writeString(directory.resolve("file"), "");
    assertUnavailable(
        load(child.with("-Djava.io.tmpdir=" + file)),
        "unpacked to " + file.resolve("gatun-"),
        "InvalidPathException: Malformed input or input contains unmappable characters: /home/j");
  }

  @Test
  void noPlaceToUnpackTo_listsThemAll() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "");
    assertUnavailable(
        load(
            new ChildJvm()
                .bindingsOnClassPath()
                .onClassPath(resource())
                .with(
                    "--enable-native-access=ALL-UNNAMED",
                    "-Dgatun.cache=" + file,
                    "-Djava.io.tmpdir=" + file,
                    "-Duser.home=" + file)),
        "unpacked to " + file + ": ",
        "unpacked to " + file.resolve("gatun-"),
        "unpacked to " + file.resolve(".cache/gatun"),
        "What to do: start Java with -Dgatun.cache=DIRECTORY");
  }

  @Test
  void otherAbiVersion_isRefused() throws Exception {
    Path library = compile("int gt_abi_version(void) { return 41; }");
    assertUnavailable(
        load(child().with("-Dgatun.library=" + library)),
        "ABI version " + gatun_h.GT_ABI_VERSION() + " was expected, found 41");
  }

  @Test
  void libraryWithoutAFunction_isRefused() throws Exception {
    Path library = compile("int gt_abi_version(void) { return " + gatun_h.GT_ABI_VERSION() + "; }");
    assertUnavailable(
        load(child().with("-Dgatun.library=" + library)),
        " functions are missing, the first is gt_a");
  }

  @Test
  void someOtherLibrary_isRefused() throws Exception {
    Path library = compile("int answer(void) { return 42; }");
    assertUnavailable(
        load(child().with("-Dgatun.library=" + library)),
        "this is not Gatun's library: it has no function gt_abi_version");
  }

  @Test
  void nativeAccessDeniedOnTheClassPath_namesTheFlag() throws Exception {
    String output =
        load(
            new ChildJvm()
                .bindingsOnClassPath()
                .with("--illegal-native-access=deny", "-Dgatun.library=" + NativeLibrary.file()));
    assertUnavailable(output, "--enable-native-access=ALL-UNNAMED");
  }

  @Test
  void nativeAccessOnTheModulePath_isTheModulesOwn() throws Exception {
    String[] library = {"--add-modules=dev.gatun.ffi", "-Dgatun.library=" + NativeLibrary.file()};
    assertUnavailable(load(modular("").with(library)), "--enable-native-access=dev.gatun.ffi");
    assertAvailable(
        load(modular("").with(library).with("--enable-native-access=dev.gatun.ffi")),
        NativeLibrary.file());
  }

  @Test
  void nativeJarOnTheModulePath_isFoundOnceItsModuleIsAdded() throws Exception {
    Path jar = directory.resolve("native.jar");
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
    manifest.getMainAttributes().putValue("Automatic-Module-Name", "dev.gatun.natives");
    Path resources = resource();
    try (var out = new JarOutputStream(Files.newOutputStream(jar), manifest)) {
      for (Path file : files(resources)) {
        out.putNextEntry(new ZipEntry(resources.relativize(file).toString()));
        Files.copy(file, out);
      }
    }
    String[] options = {
      "--enable-native-access=dev.gatun.ffi",
      "-Dgatun.cache=" + cache,
      "-Djava.library.path=" + directory.resolve("empty")
    };
    String jarPath = File.pathSeparator + jar;
    assertUnavailable(
        load(modular(jarPath).with(options).with("--add-modules=dev.gatun.ffi")),
        "on the module path,\n    with --add-modules dev.gatun.natives");
    assertAvailable(
        load(modular(jarPath).with(options).with("--add-modules=dev.gatun.ffi,dev.gatun.natives")),
        cache.resolve(sha256(NativeLibrary.file())).resolve(platform.libraryFile()));
  }

  /// A process with the bindings as a module, which may make restricted calls only if it is named.
  private static ChildJvm modular(String moreModulePath) {
    Path bindings = ChildJvm.location(NativeLibrary.class);
    assumeTrue(
        Files.exists(bindings.resolve("module-info.class")) || Files.isRegularFile(bindings),
        "the bindings were compiled without their module descriptor");
    return new ChildJvm()
        .with(
            "-p",
            bindings + moreModulePath,
            "--add-exports=dev.gatun.ffi/dev.gatun.ffi=ALL-UNNAMED",
            "--illegal-native-access=deny");
  }

  /// A class path with the library as the native jar has it.
  private Path resource() throws Exception {
    Path resources = directory.resolve("resources");
    Path folder = Files.createDirectories(resources.resolve("META-INF/native/" + platform.name()));
    Files.copy(NativeLibrary.file(), folder.resolve(platform.libraryFile()));
    Files.writeString(
        folder.resolve(platform.libraryFile() + ".sha256"), sha256(NativeLibrary.file()) + "\n");
    return resources;
  }

  private Path compile(String source) throws Exception {
    Path file = Files.writeString(directory.resolve("other.c"), source);
    Path library = directory.resolve("libother.so");
    Process compiler;
    try {
      compiler =
          new ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.toString(), file.toString())
              .inheritIO()
              .start();
    } catch (IOException e) {
      assumeTrue(false, "there is no C compiler");
      throw e;
    }
    assertEquals(0, compiler.waitFor());
    return library;
  }

  private static String sha256(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    return HexFormat.of().formatHex(digest.digest(Files.readAllBytes(file)));
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> tree = Files.walk(directory)) {
      return tree.filter(Files::isRegularFile).toList();
    }
  }
}
