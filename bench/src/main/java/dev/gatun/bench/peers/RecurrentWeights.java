package dev.gatun.bench.peers;

/// What a recurrent layer begins with on all sides, as PyTorch lays it out: G gates of H units one
/// after the other, in the order r z n of a GRU, i f g o of an LSTM, candidate and gate of a UGRNN.
///
/// @param input `[G·H, F]`
/// @param state `[G·H, H]`
/// @param inputBias `[G·H]`
/// @param stateBias `[G·H]`, zeros in a UGRNN; libraries with one offset add the two, but for the
///   candidate of a GRU, where it is inside the reset gate
public record RecurrentWeights(float[] input, float[] state, float[] inputBias, float[] stateBias) {
  /// Those of a cell.
  public static RecurrentWeights of(Work.Gated cell, int features, int units) {
    int rows = cell.gates() * units;
    float[] bias = scaled((long) rows, units);
    return new RecurrentWeights(
        scaled((long) rows * features, units),
        scaled((long) rows * units, units),
        bias,
        cell == Work.Gated.UGRNN ? new float[rows] : bias);
  }

  /// The dense layer's `[C, H]`; its offsets are zeros.
  public static float[] head(int classes, int units) {
    return scaled(Values.uniform((long) classes * units, 5), units);
  }

  /// The sums of both offsets, and zeros in the place of the last `apart` of the states'.
  public float[] bias(int apart) {
    float[] sums = inputBias.clone();
    for (int i = 0; i < sums.length - apart; i++) {
      sums[i] += stateBias[i];
    }
    return sums;
  }

  private static float[] scaled(long count, int units) {
    return scaled(Values.uniform(count, 3), units);
  }

  private static float[] scaled(float[] values, int units) {
    double scale = 1 / Math.sqrt(units);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * scale);
    }
    return values;
  }
}
