package dev.gatun;

/// A tensor's shape or dtype does not fit where it is used. The message names the layer or
/// operation, what was expected and what was found.
public final class ShapeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public ShapeException(String message) {
    super(message);
  }
}
