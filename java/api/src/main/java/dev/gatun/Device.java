package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.ffm.FfmBackend;
import dev.gatun.backend.reference.ReferenceBackend;

/// Where tensors live and networks run. Thread-safe. What was made on a device stays usable after
/// the device is closed, until it is closed itself; nothing new can be made.
public final class Device implements AutoCloseable {
  private final Backend backend;

  private Device(Backend backend) {
    this.backend = backend;
  }

  /// The native CPU backend with one thread for each processor.
  ///
  /// @throws DeviceUnavailableException if the native library cannot be loaded; the message tells
  ///   what was tried
  public static Device cpu() {
    return cpu(0);
  }

  /// The native CPU backend with `threads` threads, the calling one included; 0 takes one for each
  /// processor.
  ///
  /// @throws DeviceUnavailableException if the native library cannot be loaded; the message tells
  ///   what was tried
  public static Device cpu(int threads) {
    return new Device(FfmBackend.cpu(threads));
  }

  /// An NVIDIA GPU, by its number from 0.
  ///
  /// @throws DeviceUnavailableException if the native library, the one for CUDA, the driver or the
  ///   GPU is missing; the message tells which
  public static Device cuda(int index) {
    return new Device(FfmBackend.cuda(index));
  }

  /// The pure-Java backend: plain loops on one thread, for checking and for machines without a
  /// native library.
  public static Device reference() {
    return new Device(new ReferenceBackend());
  }

  /// The fastest device this machine has: its first GPU, where the library for GPUs, a driver and a
  /// GPU that the library has code for are there, else the CPU.
  ///
  /// @throws DeviceUnavailableException if the native library cannot be loaded; the pure-Java
  ///   backend is never chosen silently
  public static Device best() {
    if (FfmBackend.cudaCount() > 0) {
      try {
        return cuda(0);
      } catch (DeviceUnavailableException | DeviceException unusable) {
        // a GPU that is too old, or out of order
      }
    }
    return cpu();
  }

  /// `cpu`, `cuda` or `reference`.
  public String name() {
    return backend.name();
  }

  /// One line for people, such as `cpu, 2 threads, AVX3_ZEN4`.
  public String description() {
    return backend.description();
  }

  /// How many threads work on an instruction.
  public int threads() {
    return backend.threads();
  }

  /// The memory this device holds now.
  public MemoryUse memoryUse() {
    Backend.MemoryUse use = backend.memoryUse();
    return new MemoryUse(use.bytes(), use.peakBytes(), use.allocations());
  }

  Backend backend() {
    return backend;
  }

  /// Gives the device back; a second call does nothing.
  @Override
  public void close() {
    backend.close();
  }

  @Override
  public String toString() {
    return description();
  }

  /// What a device holds.
  ///
  /// @param bytes held now
  /// @param peakBytes the most held at any time
  /// @param allocations how many allocations were made since the device was opened
  public record MemoryUse(long bytes, long peakBytes, long allocations) {}
}
