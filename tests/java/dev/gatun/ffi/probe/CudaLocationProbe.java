package dev.gatun.ffi.probe;

import dev.gatun.ffi.CudaLibrary;

/// Looks for the library for GPUs, in a process that has no more than the bindings.
public final class CudaLocationProbe {
  private CudaLocationProbe() {}

  /// Prints `found`, or `missing` and the reason.
  public static void main(String[] arguments) {
    System.out.println(CudaLibrary.locate().map(reason -> "missing " + reason).orElse("found"));
  }
}
