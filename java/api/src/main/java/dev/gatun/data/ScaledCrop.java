package dev.gatun.data;

import dev.gatun.random.RandomStream;

/// Crops of a random scale: those that residual networks were trained on, and those with a random
/// area and aspect.
public sealed interface ScaledCrop extends Augmentation {
  /// The rows of the result.
  int height();

  /// The columns of the result.
  int width();

  @Override
  default ImageShape output(ImageShape input) {
    return new ImageShape(height(), width(), input.channels());
  }

  /// The image made so large that its short side is L, uniform in [low, high], and of that a random
  /// `size` x `size` window (He et al. 2015: 256, 480 and 224).
  ///
  /// @param low the least short side, at least `size`
  /// @param high the greatest short side
  /// @param size of the window
  record ShortSide(int low, int high, int size) implements ScaledCrop {
    /// @throws IllegalArgumentException unless 1 ≤ size ≤ low ≤ high
    public ShortSide {
      if (size < 1 || low < size || high < low) {
        throw new IllegalArgumentException(
            "[scaledCrop] 1 ≤ size ≤ low ≤ high expected, found size %d, low %d, high %d"
                .formatted(size, low, high));
      }
    }

    @Override
    public int height() {
      return size;
    }

    @Override
    public int width() {
      return size;
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      int side = low + random.nextInt(high - low + 1);
      int shorter = Math.min(input.height(), input.width());
      double pixel = (double) shorter / side; // of the enlarged image, in the source
      int rows = (int) Math.round(input.height() / pixel);
      int columns = (int) Math.round(input.width() / pixel);
      double top = random.nextInt(rows - size + 1) * pixel;
      double left = random.nextInt(columns - size + 1) * pixel;
      Resampling.window(source, input, top, left, size * pixel, size * pixel, target, size, size);
    }
  }

  /// A window with a random share of the area and a random aspect, made `height` x `width` (Szegedy
  /// et al. 2014). The logarithm of the aspect is uniform. If none of ten windows fits, the largest
  /// one in the middle with an aspect in the interval is taken.
  ///
  /// @param height rows of the result
  /// @param width columns of the result
  /// @param leastArea the least share of the image's area, in (0, 1]; 0.08 by default
  /// @param mostAspect the greatest of width / height, whose inverse is the least; 4/3 by default
  record Area(int height, int width, double leastArea, double mostAspect) implements ScaledCrop {
    private static final int TRIES = 10;

    /// @throws IllegalArgumentException when a value is not in its range
    public Area {
      if (height < 1 || width < 1 || !(leastArea > 0 && leastArea <= 1) || !(mostAspect >= 1)) {
        throw new IllegalArgumentException(
            "[randomResizedCrop] sides of at least 1, an area in (0, 1] and an aspect of at least 1"
                + " expected, found %d x %d, %s, %s"
                    .formatted(height, width, leastArea, mostAspect));
      }
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      double pixels = (double) input.height() * input.width();
      double reach = Math.log(mostAspect);
      for (int i = 0; i < TRIES; i++) {
        double area = pixels * random.nextDouble(leastArea, 1);
        double aspect = Math.exp(random.nextDouble(-reach, reach));
        int wide = (int) Math.round(Math.sqrt(area * aspect));
        int high = (int) Math.round(Math.sqrt(area / aspect));
        if (wide >= 1 && high >= 1 && wide <= input.width() && high <= input.height()) {
          int top = random.nextInt(input.height() - high + 1);
          int left = random.nextInt(input.width() - wide + 1);
          Resampling.window(source, input, top, left, high, wide, target, height, width);
          return;
        }
      }
      double wide = Math.min(input.width(), input.height() * mostAspect);
      double high = Math.min(input.height(), input.width() * mostAspect);
      double top = (input.height() - high) / 2;
      double left = (input.width() - wide) / 2;
      Resampling.window(source, input, top, left, high, wide, target, height, width);
    }
  }
}
