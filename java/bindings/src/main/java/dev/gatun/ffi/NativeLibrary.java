package dev.gatun.ffi;

import java.io.File;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Finds the native library, loads it and checks that it fits these bindings. The first call of a
/// method here does the work, once per process; no method of [gatun_h] may be called before
/// [#load].
///
/// Places, in order: the file named by the system property `gatun.library` (and then nothing else);
/// the resource `META-INF/native/<os>-<arch>/` on the class or module path, unpacked by
/// [LibraryCache]; `java.library.path`. Never the network.
public final class NativeLibrary {
  /// The system property that names the library's file.
  public static final String PROPERTY = "gatun.library";

  private NativeLibrary() {}

  /// Loads the library; a second call does nothing.
  ///
  /// @throws NativeLibraryException if that is not possible, with the same message each time
  public static void load() {
    if (Holder.RESULT instanceof Failed(NativeLibraryException first)) {
      throw new NativeLibraryException(String.valueOf(first.getMessage()), first.getCause());
    }
  }

  /// Whether the library can be used.
  public static boolean isAvailable() {
    return Holder.RESULT instanceof Loaded;
  }

  /// Why the library cannot be used; empty if it can.
  public static Optional<String> unavailableReason() {
    return Holder.RESULT instanceof Failed(NativeLibraryException cause)
        ? Optional.ofNullable(cause.getMessage())
        : Optional.empty();
  }

  /// The file that was loaded.
  ///
  /// @throws NativeLibraryException if none was
  public static Path file() {
    load();
    return ((Loaded) Holder.RESULT).file();
  }

  private sealed interface Result {}

  private record Loaded(Path file) implements Result {}

  private record Failed(NativeLibraryException cause) implements Result {}

  /// The result is a value even in failure, so that class initialisation never throws.
  private static final class Holder {
    static final Result RESULT = attempt();

    private static Result attempt() {
      Search search = new Search(Platform.current());
      try {
        return search.run();
      } catch (IllegalCallerException denied) {
        return new Failed(
            new NativeLibraryException(
                """
                Gatun's native library cannot be loaded: this Java program has not been granted native access.
                  Start Java with %s\
                """
                    .formatted(nativeAccessFlag()),
                denied));
      } catch (RuntimeException | Error unexpected) {
        return new Failed(search.failure("unexpected: " + unexpected, unexpected));
      }
    }

    private static String nativeAccessFlag() {
      Module module = NativeLibrary.class.getModule();
      return "--enable-native-access=" + (module.isNamed() ? module.getName() : "ALL-UNNAMED");
    }
  }

  /// One search, with a note about every place that did not work.
  private static final class Search {
    private final Platform platform;
    private final List<String> tried = new ArrayList<>();

    Search(Platform platform) {
      this.platform = platform;
    }

    Result run() {
      String explicit = System.getProperty(PROPERTY);
      if (explicit != null) {
        return explicitFile(explicit);
      }
      Optional<Result> found =
          LibraryCache.unpack(
              platform, platform.libraryFile(), tried::add, file -> open(file, file.toString()));
      if (found.isEmpty()) {
        found = libraryPath();
      }
      return found.orElseGet(() -> new Failed(failure(null, null)));
    }

    private Result explicitFile(String name) {
      String place = "system property " + PROPERTY + " = " + name;
      try {
        Path file = Path.of(name).toAbsolutePath();
        if (!Files.isRegularFile(file)) {
          tried.add(place + ": there is no such file");
        } else {
          Optional<Result> result = open(file, place);
          if (result.isPresent()) {
            return result.get();
          }
        }
      } catch (InvalidPathException invalid) {
        tried.add(place + ": this is not a path: " + invalid.getMessage());
      }
      return new Failed(failure("the property is set, so no other place was tried", null));
    }

    private Optional<Result> libraryPath() {
      String directories = System.getProperty("java.library.path", "");
      boolean any = false;
      for (String directory : directories.split(File.pathSeparator, -1)) {
        if (directory.isEmpty()) {
          continue;
        }
        Path file;
        try {
          file = Path.of(directory, platform.libraryFile()).toAbsolutePath();
        } catch (InvalidPathException invalid) {
          tried.add("java.library.path: this is not a path: " + invalid.getMessage());
          continue;
        }
        if (Files.isRegularFile(file)) {
          any = true;
          Optional<Result> result = open(file, "java.library.path: " + file);
          if (result.isPresent()) {
            return result;
          }
        }
      }
      if (!any) {
        tried.add(
            "java.library.path: no %s in %s"
                .formatted(
                    platform.libraryFile(), directories.isEmpty() ? "(empty)" : directories));
      }
      return Optional.empty();
    }

    /// Loads a file and checks it. Empty if it does not load; a file that loads but does not fit
    /// ends the search, because it cannot be unloaded and its symbols would hide those of a second
    /// one.
    private Optional<Result> open(Path file, String place) {
      try {
        System.load(file.toString());
      } catch (UnsatisfiedLinkError error) {
        tried.add(place + ": " + error.getMessage());
        return Optional.empty();
      }
      String mismatch = mismatch();
      if (mismatch != null) {
        tried.add(place + ": " + mismatch);
        return Optional.of(
            new Failed(
                failure("a library was loaded that does not fit; nothing else was tried", null)));
      }
      gatun_h.gt_last_error_message(); // bound now: see NativeMemory.lastErrorMessage
      return Optional.of(new Loaded(file));
    }

    /// What keeps the loaded library from serving these bindings, null if nothing does.
    private static @Nullable String mismatch() {
      SymbolLookup library = SymbolLookup.loaderLookup();
      Optional<MemorySegment> version = library.find("gt_abi_version");
      if (version.isEmpty()) {
        return "this is not Gatun's library: it has no function gt_abi_version";
      }
      int found = abiVersion(version.get());
      if (found != gatun_h.GT_ABI_VERSION()) {
        return "ABI version %d was expected, found %d: use the library and the jars of one Gatun release"
            .formatted(gatun_h.GT_ABI_VERSION(), found);
      }
      TreeSet<String> missing = new TreeSet<>();
      for (Method method : gatun_h.class.getDeclaredMethods()) {
        String name = method.getName();
        if (name.endsWith("$address")) {
          String function = name.substring(0, name.indexOf('$'));
          if (library.find(function).isEmpty()) {
            missing.add(function);
          }
        }
      }
      return missing.isEmpty()
          ? null
          : "%d functions are missing, the first is %s: use the library and the jars of one Gatun release"
              .formatted(missing.size(), missing.getFirst());
    }

    private static int abiVersion(MemorySegment function) {
      try {
        return (int)
            Linker.nativeLinker()
                .downcallHandle(function, FunctionDescriptor.of(ValueLayout.JAVA_INT))
                .invokeExact();
      } catch (RuntimeException | Error e) {
        throw e;
      } catch (Throwable e) {
        throw new AssertionError(e);
      }
    }

    NativeLibraryException failure(@Nullable String note, @Nullable Throwable cause) {
      StringBuilder text = new StringBuilder("Gatun's native library cannot be used.");
      text.append(
          "\n  Looked for: %s for %s (%s)"
              .formatted(platform.libraryFile(), platform.name(), platform.description()));
      for (int i = 0; i < tried.size(); i++) {
        text.append("\n  %d. %s".formatted(i + 1, tried.get(i)));
      }
      if (note != null) {
        text.append("\n  Note: ").append(note);
      }
      text.append("\n  What to do: ").append(advice());
      return cause == null
          ? new NativeLibraryException(text.toString())
          : new NativeLibraryException(text.toString(), cause);
    }

    private String advice() {
      boolean explicit = System.getProperty(PROPERTY) != null;
      if (!explicit && LibraryCache.holds(platform, platform.libraryFile())) {
        return "start Java with -D%s=DIRECTORY, one that this user may write to and the system loads"
                .formatted(LibraryCache.PROPERTY)
            + "\n    libraries from, or with -D%s=/path/to/%s"
                .formatted(PROPERTY, platform.libraryFile());
      }
      return "put the jar gatun-bindings with classifier %s on the class path (on the module path,"
              .formatted(platform.name())
          + "\n    with --add-modules dev.gatun.natives), or start Java with -D%s=/path/to/%s"
              .formatted(PROPERTY, platform.libraryFile());
    }
  }
}
