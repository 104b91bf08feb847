package dev.gatun.ffi;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/// Unpacks a library from the class or module path to a file that the system can load.
///
/// The file lies in a directory named after its SHA-256, which stands in a resource beside the
/// library, and is checked before every load. It is written under another name and renamed, so that
/// processes which start together do not see half a file, and reused by the next start. The
/// directories belong to the user alone: one that somebody else has prepared is not used.
final class LibraryCache {
  /// The system property that names the directory to unpack to.
  static final String PROPERTY = "gatun.cache";

  private final String libraryFile;
  private final URL resource;
  private final String sha256;

  private LibraryCache(String libraryFile, URL resource, String sha256) {
    this.libraryFile = libraryFile;
    this.resource = resource;
    this.sha256 = sha256;
  }

  /// Whether there is `libraryFile` for `platform` to unpack.
  static boolean holds(Platform platform, String libraryFile) {
    return LibraryCache.class.getClassLoader().getResource(resource(platform, libraryFile)) != null;
  }

  private static String resource(Platform platform, String libraryFile) {
    return "META-INF/native/" + platform.name() + "/" + libraryFile;
  }

  /// Unpacks `libraryFile` for `platform` and gives the file to `open`, in one directory after the
  /// other until `open` returns something. What does not work is told to `note`.
  static <R> Optional<R> unpack(
      Platform platform,
      String libraryFile,
      Consumer<String> note,
      Function<Path, Optional<R>> open) {
    String name = resource(platform, libraryFile);
    ClassLoader loader = LibraryCache.class.getClassLoader();
    URL library = loader.getResource(name);
    URL checksum = loader.getResource(name + ".sha256");
    if (library == null) {
      note.accept("class path and module path: no resource " + name);
      return Optional.empty();
    }
    if (checksum == null) {
      note.accept(library + ": no checksum beside it, expected a resource " + name + ".sha256");
      return Optional.empty();
    }
    try {
      String sha256 = firstWord(read(checksum));
      return new LibraryCache(libraryFile, library, sha256).unpack(note, open);
    } catch (IOException unreadable) {
      note.accept(checksum + ": " + unreadable);
      return Optional.empty();
    }
  }

  private <R> Optional<R> unpack(Consumer<String> note, Function<Path, Optional<R>> open) {
    for (String directory : directories()) {
      Path file;
      try {
        // Absolute, as the system loads from nothing else. Some have no path in this locale.
        Path absolute = Path.of(directory).toAbsolutePath();
        file = fileIn(privateDirectory(absolute).resolve(sha256));
      } catch (IOException | UnsupportedOperationException | InvalidPathException e) {
        note.accept("%s, unpacked to %s: %s".formatted(resource, directory, e));
        continue;
      }
      Optional<R> result = open.apply(file);
      if (result.isPresent()) {
        return result;
      }
    }
    return Optional.empty();
  }

  /// Where to unpack to, best first: some systems mount the directory for temporary files read-only
  /// or without execution.
  private static List<String> directories() {
    List<String> directories = new ArrayList<>();
    String chosen = System.getProperty(PROPERTY);
    if (chosen != null && !chosen.isEmpty()) {
      directories.add(chosen);
    }
    String user = System.getProperty("user.name", "").replaceAll("[^A-Za-z0-9._-]", "_");
    directories.add(join(System.getProperty("java.io.tmpdir"), "gatun-" + user));
    directories.add(join(System.getProperty("user.home"), ".cache", "gatun"));
    return directories;
  }

  private static String join(String... names) {
    return String.join(File.separator, names);
  }

  /// Makes the directory if needed, and refuses one that others own or may write to.
  private static Path privateDirectory(Path directory) throws IOException {
    Files.createDirectories(directory, ownerOnly(directory));
    Path probe = Files.createTempFile(directory, "owner", ".tmp");
    try {
      if (!Files.getOwner(probe).equals(Files.getOwner(directory))) {
        throw new IOException("the directory belongs to " + Files.getOwner(directory));
      }
    } finally {
      Files.delete(probe);
    }
    if (isPosix(directory)) {
      String permissions = PosixFilePermissions.toString(Files.getPosixFilePermissions(directory));
      if (permissions.charAt(4) == 'w' || permissions.charAt(7) == 'w') {
        throw new IOException("others may write to the directory, its mode is " + permissions);
      }
    }
    return directory;
  }

  private Path fileIn(Path directory) throws IOException {
    Files.createDirectories(directory, ownerOnly(directory));
    Path file = directory.resolve(libraryFile);
    if (isIntact(file)) {
      return file;
    }
    byte[] content = read(resource);
    if (!sha256(content).equals(sha256)) {
      throw new IOException(
          "the resource is damaged: expected SHA-256 %s, found %s"
              .formatted(sha256, sha256(content)));
    }
    Path partial = Files.createTempFile(directory, libraryFile, ".part", ownerOnly(directory));
    try {
      Files.write(partial, content);
      try {
        Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING);
      } catch (IOException e) {
        // Windows does not replace a file in use: another process has unpacked it first.
        if (!isIntact(file)) {
          throw e;
        }
      }
    } finally {
      Files.deleteIfExists(partial);
    }
    return file;
  }

  private boolean isIntact(Path file) throws IOException {
    return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
        && sha256(Files.readAllBytes(file)).equals(sha256);
  }

  private static FileAttribute<?>[] ownerOnly(Path path) {
    return isPosix(path)
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
        }
        : new FileAttribute<?>[0];
  }

  private static boolean isPosix(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }

  private static byte[] read(URL resource) throws IOException {
    try (InputStream in = resource.openStream()) {
      return in.readAllBytes();
    }
  }

  private static String firstWord(byte[] text) {
    return new String(text, StandardCharsets.UTF_8).strip().split("\\s", 2)[0];
  }

  private static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }
}
