package dev.gatun.ffi;

import org.jspecify.annotations.Nullable;

/// The native library cannot be used in this process. The message tells what was looked for, every
/// place that was tried and why it failed, and what to do.
public final class NativeLibraryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  NativeLibraryException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  NativeLibraryException(String message) {
    super(message);
  }
}
