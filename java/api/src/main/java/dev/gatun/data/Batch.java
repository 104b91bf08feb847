package dev.gatun.data;

import java.util.Arrays;

/// Some images ready for a step. Belongs to its [Loader], which fills it again once it is released.
public final class Batch {
  /// The label of the empty images that fill up an incomplete batch; a loss ignores it.
  public static final int NO_LABEL = -1;

  private final float[] images;
  private final int[] labels;
  private int count;
  private int number;

  Batch(int size, ImageShape image) {
    long elements = (long) size * image.elements();
    if (elements > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "[loader] a batch of "
              + size
              + " images of "
              + image
              + " has "
              + elements
              + " elements; at most "
              + (Integer.MAX_VALUE - 8)
              + " expected");
    }
    images = new float[(int) elements];
    labels = new int[size];
  }

  /// `[size, height, width, channels]`, channels-last; zeros from image `count()` on.
  public float[] images() {
    return images;
  }

  /// `[size]`; [#NO_LABEL] from `count()` on.
  public int[] labels() {
    return labels;
  }

  /// The number of real images, at most `labels().length`.
  public int count() {
    return count;
  }

  /// The place of the batch in its epoch, from 0.
  public int number() {
    return number;
  }

  void begin(int number, int count) {
    this.number = number;
    this.count = count;
    int size = labels.length;
    if (count < size) {
      Arrays.fill(labels, count, size, NO_LABEL);
      Arrays.fill(images, images.length / size * count, images.length, 0);
    }
  }
}
