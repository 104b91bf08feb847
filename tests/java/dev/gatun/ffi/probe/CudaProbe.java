package dev.gatun.ffi.probe;

import dev.gatun.Device;
import dev.gatun.DeviceUnavailableException;

/// Asks for a CUDA device and for the best one, as a user's program would.
public final class CudaProbe {
  private CudaProbe() {}

  /// Prints `best` and its name, then `cuda` and its description, or `refused` and the message.
  public static void main(String[] arguments) {
    try (Device best = Device.best()) {
      System.out.println("best " + best.name());
    }
    try (Device cuda = Device.cuda(0)) {
      System.out.println("cuda " + cuda.description());
    } catch (DeviceUnavailableException e) {
      System.out.println("refused " + e.getMessage());
    }
  }
}
