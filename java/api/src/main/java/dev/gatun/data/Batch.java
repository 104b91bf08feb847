package dev.gatun.data;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Some images ready for a step. Belongs to its [Loader], which fills it again once it is released.
public final class Batch {
  /// The label of the empty images that fill up an incomplete batch; a loss ignores it.
  public static final int NO_LABEL = -1;

  private final float[] images;
  private final int[] labels;
  private final float @Nullable [] targets;
  private int count;
  private int number;

  /// @param classes columns of the targets; 0 for labels alone
  Batch(int size, ImageShape image, int classes) {
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
    targets = classes == 0 ? null : new float[Math.multiplyExact(size, classes)];
  }

  /// `[size, height, width, channels]`, channels-last; zeros from image `count()` on.
  public float[] images() {
    return images;
  }

  /// `[size]`; [#NO_LABEL] from `count()` on.
  public int[] labels() {
    return labels;
  }

  /// `[size, classes]`: for each image a distribution over the classes, as mixed images have; -1
  /// everywhere from `count()` on, which a loss ignores. Null where the labels say it all.
  public float @Nullable [] targets() {
    return targets;
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
      if (targets != null) {
        Arrays.fill(targets, targets.length / size * count, targets.length, NO_LABEL);
      }
    }
  }
}
