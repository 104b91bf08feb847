package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.ShapeException;
import org.junit.jupiter.api.function.Executable;

/// The messages of what is thrown.
final class Messages {
  private Messages() {}

  static String message(Class<? extends Throwable> type, Executable call) {
    return String.valueOf(assertThrows(type, call).getMessage());
  }

  static void shapeError(String message, Executable call) {
    assertEquals(message, message(ShapeException.class, call));
  }

  static void refused(String message, Executable call) {
    assertEquals(message, message(IllegalArgumentException.class, call));
  }

  static void illegalState(String message, Executable call) {
    assertEquals(message, message(IllegalStateException.class, call));
  }
}
