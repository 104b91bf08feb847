package dev.gatun.bench.peers;

import java.util.Arrays;

/// The numbers that all sides work on, and what they tell of their results.
public final class Values {
  private static final int SAMPLES = 24;

  private Values() {}

  /// `count` numbers that look uniform in [-1, 1), the same on every side.
  public static float[] uniform(long count, int seed) {
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      int mixed = (i + 1) * 0x9E3779B9 ^ seed * 0x85EBCA6B;
      mixed = (mixed ^ mixed >>> 16) * 0x7FEB352D;
      mixed = (mixed ^ mixed >>> 15) * 0x846CA68B;
      values[i] = ((mixed ^ mixed >>> 16) >> 8) * 0x1p-23f;
    }
    return values;
  }

  /// `count` class numbers.
  public static int[] labels(int count, int classes) {
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      labels[i] = (i * 7 + 3) % classes;
    }
    return labels;
  }

  /// The number of elements, then a few of them, spread out.
  public static float[] sample(float[] values) {
    float[] sample = new float[SAMPLES + 1];
    sample[0] = values.length;
    for (int i = 0; i < SAMPLES; i++) {
      sample[i + 1] = values[(int) ((long) i * (values.length - 1) / (SAMPLES - 1))];
    }
    return sample;
  }

  /// Samples one after the other.
  public static float[] join(float[]... parts) {
    int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
    float[] all = new float[length];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /// What dropout tells of `y` for the input `x`: the share of zeros to two places, and how far the
  /// kept elements are from twice the input.
  public static float[] dropout(float[] y, float[] x) {
    long zeros = 0;
    float worst = 0;
    for (int i = 0; i < y.length; i++) {
      if (y[i] == 0) {
        zeros++;
      } else {
        worst = Math.max(worst, Math.abs(y[i] - 2 * x[i]));
      }
    }
    return new float[] {y.length, Math.round(100.0 * zeros / y.length) / 100f, worst};
  }

  /// What a training step tells: the number of parameters, and 1 if the loss is a positive number.
  public static float[] training(long parameters, float loss) {
    return new float[] {parameters, Float.isFinite(loss) && loss > 0 ? 1 : 0};
  }

  /// What two training steps tell: how far the first loss is from that of even chances, in
  /// hundredths, which the weights decide; and -1 if the second is less. How much less differs, for
  /// libraries with two offsets where one does the same move both.
  public static float[] descent(float first, float second, int classes) {
    return new float[] {
      classes, (float) (100 * (first - Math.log(classes))), Math.signum(second - first)
    };
  }

  /// The filters [K,R,S,C] as [R,S,C,K].
  public static float[] filtersLast(float[] w, int filters) {
    int rest = w.length / filters;
    float[] turned = new float[w.length];
    for (int k = 0; k < filters; k++) {
      for (int i = 0; i < rest; i++) {
        turned[i * filters + k] = w[k * rest + i];
      }
    }
    return turned;
  }

  /// The filters [R,S,C,K] as [K,R,S,C].
  public static float[] filtersFirst(float[] w, int filters) {
    return filtersLast(w, w.length / filters);
  }
}
