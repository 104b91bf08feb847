package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.function.Executable;

/// What a refused call says.
final class Thrown {
  private Thrown() {}

  static String message(Class<? extends Exception> type, Executable call) {
    return String.valueOf(assertThrows(type, call).getMessage());
  }
}
