package dev.gatun;

/// A device failed and refuses further work.
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public DeviceException(String message) {
    super(message);
  }
}
