package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertTrue;

/// Checks what failures say.
final class Messages {
  private Messages() {}

  /// The message of `failure` contains every part.
  static void assertSays(Throwable failure, String... parts) {
    String message = String.valueOf(failure.getMessage());
    for (String part : parts) {
      assertTrue(message.contains(part), "\"" + part + "\" expected in: " + message);
    }
  }
}
