package dev.gatun.backend.ffm;

import dev.gatun.DeviceException;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.ffi.NativeMemory;
import dev.gatun.ffi.gatun_h;

/// Turns a status of the C ABI into an exception: `check(gatun_h.gt_fill(...))`. The message is
/// read here, in the same expression as the downcall, with nothing in between that could block.
final class Status {
  private Status() {}

  static void check(int status) {
    if (status != gatun_h.GT_OK()) {
      throw failure(status, NativeMemory.lastErrorMessage());
    }
  }

  private static RuntimeException failure(int status, String message) {
    if (status == gatun_h.GT_INVALID_ARGUMENT()) {
      return new IllegalArgumentException(message);
    }
    if (status == gatun_h.GT_OUT_OF_MEMORY()) {
      return new OutOfDeviceMemoryException(message);
    }
    if (status == gatun_h.GT_UNSUPPORTED()) {
      return new UnsupportedOperationException(message);
    }
    if (status == gatun_h.GT_DEVICE_FAILURE()) {
      return new DeviceException(message);
    }
    throw new AssertionError("a bug of Gatun, please report it: status " + status + ": " + message);
  }
}
