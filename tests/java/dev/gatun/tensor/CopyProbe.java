package dev.gatun.tensor;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Copies 16 MiB to a tensor and back, in each of the types that have an array.
public final class CopyProbe {
  private static final int COUNT = 4_200_000; // no multiple of what is copied at a time

  private CopyProbe() {}

  /// Prints `equal`, or what was not.
  public static void main(String[] arguments) {
    int[] numbers = IntStream.range(0, COUNT).toArray();
    float[] floats = new float[COUNT];
    double[] doubles = new double[COUNT];
    for (int i = 0; i < COUNT; i++) {
      floats[i] = i; // all are exact
      doubles[i] = i;
    }
    try (Device device = Device.reference()) {
      try (Tensor x = Tensor.of(device, numbers, COUNT)) {
        print("ints", Arrays.equals(numbers, x.toIntArray()));
      }
      try (Tensor x = Tensor.of(device, floats, COUNT)) {
        print("floats", Arrays.equals(floats, x.toFloatArray()));
        print("floats as doubles", Arrays.equals(doubles, x.toDoubleArray()));
      }
      try (Tensor x = Tensor.of(device, doubles, COUNT)) {
        print("doubles", Arrays.equals(doubles, x.toDoubleArray()));
        print("doubles as floats", Arrays.equals(floats, x.toFloatArray()));
      }
      try (Tensor x = Tensor.full(device, DType.BF16, 1.5, COUNT)) {
        Arrays.fill(floats, 1.5f);
        print("bf16", Arrays.equals(floats, x.toFloatArray()));
      }
    }
  }

  private static void print(String what, boolean equal) {
    System.out.println(what + (equal ? " equal" : " differ"));
  }
}
