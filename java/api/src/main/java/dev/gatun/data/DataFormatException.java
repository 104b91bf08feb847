package dev.gatun.data;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// A data file or folder that cannot be used: missing, truncated, of the wrong kind, or at odds
/// with another file.
///
/// The message names the file, what was expected and what was found.
public final class DataFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  private final String problem;

  /// A problem found in `file`.
  public DataFormatException(Path file, String problem) {
    this(file, problem, null);
  }

  /// A problem found in `file`, with the failure that showed it.
  public DataFormatException(Path file, String problem, @Nullable Throwable cause) {
    super("[data] " + file + ": " + problem, cause);
    this.file = file;
    this.problem = problem;
  }

  /// The same problem, met in another thread while making something: with a stack trace of its own.
  DataFormatException at(String what) {
    return new DataFormatException(file, problem + " (" + what + ")", this);
  }

  /// The file or folder in question.
  public Path file() {
    return file;
  }
}
