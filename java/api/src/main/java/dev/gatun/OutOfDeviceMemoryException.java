package dev.gatun;

/// A device could not provide the memory that was asked for. The message tells how much was asked
/// and how much is held.
public final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public OutOfDeviceMemoryException(String message) {
    super(message);
  }
}
