package dev.gatun;

/// Training cannot go on because the loss is not finite. The message tells at which step, what came
/// before, and what usually helps; [Doctor#findOrigin] finds the layer where it begins.
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// An exception with this message.
  public DivergedException(String message) {
    super(message);
  }
}
