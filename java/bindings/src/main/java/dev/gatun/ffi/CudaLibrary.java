package dev.gatun.ffi;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Finds the library for NVIDIA GPUs, which the native library loads when a CUDA device is asked
/// for.
///
/// Places, in order: the file named by the environment variable `GATUN_CUDA_LIBRARY` (and then
/// nothing else); the resource `META-INF/native/<os>-<arch>/` on the class or module path, unpacked
/// by [LibraryCache], unless [NativeLibrary#PROPERTY] names the native library; beside the native
/// library. Never the network.
public final class CudaLibrary {
  /// The environment variable that names the library's file.
  public static final String VARIABLE = "GATUN_CUDA_LIBRARY";

  private CudaLibrary() {}

  /// Tells the native library where the one for GPUs is, once per process; to be called before the
  /// first CUDA device is asked for.
  ///
  /// @return why there is none; empty if there is a file
  /// @throws NativeLibraryException if there is no native library
  public static Optional<String> locate() {
    NativeLibrary.load();
    return Holder.MISSING;
  }

  private static final class Holder {
    static final Optional<String> MISSING = attempt();

    private static Optional<String> attempt() {
      String named = System.getenv(VARIABLE);
      if (named != null && !named.isEmpty()) {
        return Optional.empty();
      }
      Platform platform = Platform.current();
      String libraryFile = System.mapLibraryName("gatun_cuda");
      List<String> tried = new ArrayList<>();
      if (System.getProperty(NativeLibrary.PROPERTY) == null) {
        Optional<Path> unpacked =
            LibraryCache.unpack(platform, libraryFile, tried::add, file -> loadable(file, tried));
        if (unpacked.isPresent()) {
          tell(unpacked.get());
          return Optional.empty();
        }
      }
      Path beside = NativeLibrary.file().resolveSibling(libraryFile);
      if (Files.isRegularFile(beside)) {
        return Optional.empty();
      }
      tried.add("beside the native library: no " + beside);
      return Optional.of(missing(platform, libraryFile, tried));
    }

    /// Some directories hold files that the system does not load.
    private static Optional<Path> loadable(Path file, List<String> tried) {
      try {
        System.load(file.toString());
        return Optional.of(file);
      } catch (UnsatisfiedLinkError error) {
        tried.add(String.valueOf(error.getMessage()));
        return Optional.empty();
      }
    }

    private static void tell(Path file) {
      try (Arena arena = Arena.ofConfined()) {
        int status = gatun_h.gt_cuda_library_locate(arena.allocateFrom(file.toString()));
        if (status != gatun_h.GT_OK()) {
          throw new AssertionError(NativeMemory.lastErrorMessage());
        }
      }
    }

    private static String missing(Platform platform, String libraryFile, List<String> tried) {
      StringBuilder text =
          new StringBuilder("There is no library for CUDA devices.\n  Looked for: ");
      text.append(libraryFile).append(" for ").append(platform.name());
      for (int i = 0; i < tried.size(); i++) {
        text.append("\n  %d. %s".formatted(i + 1, tried.get(i)));
      }
      return text.append("\n  What to do: put the jar gatun-bindings with classifier ")
          .append(platform.name())
          .append("-cuda on the class path (on the module path,\n")
          .append("    with --add-modules dev.gatun.natives.cuda), or name the file in the")
          .append(" environment variable ")
          .append(VARIABLE)
          .toString();
    }
  }
}
