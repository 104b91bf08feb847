package dev.gatun;

/// A device could not provide the memory that was asked for. The message tells how much was asked
/// for, and who holds how much.
public final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public OutOfDeviceMemoryException(String message) {
    super(message);
  }
}
