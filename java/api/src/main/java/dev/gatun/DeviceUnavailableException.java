package dev.gatun;

import org.jspecify.annotations.Nullable;

/// A device was asked for that this machine, process or build does not have. The message tells why,
/// and what to do.
public final class DeviceUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public DeviceUnavailableException(String message) {
    super(message);
  }

  /// An exception with this message and its cause.
  public DeviceUnavailableException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
