package dev.gatun.net;

import dev.gatun.Device;
import dev.gatun.Tensor;

/// Sequences `[batch, steps, features]` in plain arrays.
record Sequences(int batch, int steps, int features, double[] elements) {
  static Sequences of(Tensor x) {
    return new Sequences(
        (int) x.shape().dim(0), (int) x.shape().dim(1), (int) x.shape().dim(2), x.toDoubleArray());
  }

  static Sequences zeros(int batch, int steps, int features) {
    return new Sequences(batch, steps, features, new double[batch * steps * features]);
  }

  Tensor tensor(Device device) {
    return Tensor.of(device, elements, batch, steps, features);
  }

  double get(int n, int t, int i) {
    return elements[(n * steps + t) * features + i];
  }

  void set(int n, int t, int i, double value) {
    elements[(n * steps + t) * features + i] = value;
  }

  /// The last step first.
  Sequences reversed() {
    Sequences result = zeros(batch, steps, features);
    fill(result, 0, true);
    return result;
  }

  /// The features of `other` behind these.
  Sequences beside(Sequences other) {
    Sequences result = zeros(batch, steps, features + other.features);
    fill(result, 0, false);
    other.fill(result, features, false);
    return result;
  }

  /// With steps of zeros behind.
  Sequences padded(int length) {
    Sequences result = zeros(batch, length, features);
    fill(result, 0, false);
    return result;
  }

  private void fill(Sequences target, int offset, boolean reversed) {
    for (int n = 0; n < batch; n++) {
      for (int t = 0; t < steps; t++) {
        for (int i = 0; i < features; i++) {
          target.set(n, t, offset + i, get(n, reversed ? steps - 1 - t : t, i));
        }
      }
    }
  }
}
