package dev.gatun.data;

import java.util.Arrays;

/// The parts of a test image whose outputs are averaged: at each scale ten windows, at the four
/// corners and in the middle, each also mirrored (Krizhevsky et al. 2012; He et al. 2015). View k
/// of a scale is, for k = 0 … 4, upper left, upper right, lower left, lower right, middle, and k +
/// 5 its mirror image.
///
/// @param size height and width of a view
/// @param sides the short sides that an image is given, each at least `size`
@SuppressWarnings("ArrayRecordComponent") // never compared
public record TestViews(int size, int... sides) {
  /// Views of one scale.
  public static final int CROPS = 10;

  /// @throws IllegalArgumentException when there is no side, or one is below the size
  public TestViews {
    if (size < 1 || sides.length == 0 || Arrays.stream(sides).min().orElse(0) < size) {
      throw new IllegalArgumentException(
          "[testViews] sides of at least the size expected, found %s and %d"
              .formatted(Arrays.toString(sides), size));
    }
    sides = sides.clone();
  }

  /// Ten windows of an image whose short side is made `side`.
  public static TestViews tenCrop(int size, int side) {
    return new TestViews(size, side);
  }

  /// Fifty windows of 224: short sides 224, 256, 384, 480 and 640.
  public static TestViews multiScale() {
    return new TestViews(224, 224, 256, 384, 480, 640);
  }

  @Override
  public int[] sides() {
    return sides.clone();
  }

  /// The number of views.
  public int count() {
    return CROPS * sides.length;
  }

  /// The shape of a view of an image of shape `input`.
  public ImageShape output(ImageShape input) {
    return new ImageShape(size, size, input.channels());
  }

  /// Writes view `number` of `image` to the beginning of `target`.
  ///
  /// @throws IndexOutOfBoundsException when `number` is not in `[0, count())`
  public void read(int number, byte[] image, ImageShape shape, byte[] target) {
    int view = java.util.Objects.checkIndex(number, count()) % CROPS;
    int side = sides[number / CROPS];
    double pixel = (double) Math.min(shape.height(), shape.width()) / side;
    double window = size * pixel;
    double bottom = shape.height() - window;
    double right = shape.width() - window;
    int place = view % 5;
    double top = place == 4 ? bottom / 2 : place < 2 ? 0 : bottom;
    double left = place == 4 ? right / 2 : place % 2 == 0 ? 0 : right;
    if (view < 5) {
      Resampling.window(image, shape, top, left, window, window, target, size, size);
    } else {
      byte[] upright = new byte[size * size * shape.channels()];
      Resampling.window(image, shape, top, left, window, window, upright, size, size);
      Augmentation.FlipHorizontal.mirror(upright, output(shape), target);
    }
  }
}
