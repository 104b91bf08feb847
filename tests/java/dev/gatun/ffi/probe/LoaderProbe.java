package dev.gatun.ffi.probe;

import dev.gatun.ffi.NativeLibrary;

/// Loads the library as a user's program would, and tells what happened. All must be exceptions
/// that a user can catch.
public final class LoaderProbe {
  private LoaderProbe() {}

  /// Prints `loaded` and the file, or `refused`, the exception's class and message, twice.
  public static void main(String[] arguments) {
    if (NativeLibrary.isAvailable()) {
      NativeLibrary.load();
      System.out.println("loaded " + NativeLibrary.file());
      return;
    }
    System.out.println("refused");
    String reason = NativeLibrary.unavailableReason().orElseThrow();
    for (int attempt = 0; attempt < 2; attempt++) {
      try {
        NativeLibrary.load();
        throw new AssertionError("load succeeded although the library is not available");
      } catch (RuntimeException e) {
        System.out.println(e.getClass().getSimpleName());
        if (!reason.equals(e.getMessage())) {
          throw new AssertionError("another message than unavailableReason", e);
        }
      }
    }
    System.out.println(reason);
  }
}
