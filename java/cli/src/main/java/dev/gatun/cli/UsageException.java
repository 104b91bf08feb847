package dev.gatun.cli;

/// The command was given something that cannot work; the message says what, and what would.
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  UsageException(String message) {
    super(message);
  }
}
