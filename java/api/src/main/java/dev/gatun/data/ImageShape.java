package dev.gatun.data;

/// The shape of one image, channels-last: pixel `(y, x)` channel `c` is element `(y * width + x) *
/// channels + c`.
///
/// @param height rows, at least 1
/// @param width columns, at least 1
/// @param channels values of a pixel, at least 1 (1 grey, 3 red-green-blue)
public record ImageShape(int height, int width, int channels) {
  private static final int MAX_ELEMENTS = 1 << 28;

  /// @throws IllegalArgumentException when a dimension is below 1 or the image has more than 2^28
  ///   elements
  public ImageShape {
    if (height < 1 || width < 1 || channels < 1) {
      throw new IllegalArgumentException(
          "[image] height, width and channels must be at least 1, found "
              + height
              + " x "
              + width
              + " x "
              + channels);
    }
    if ((double) height * width * channels > MAX_ELEMENTS) {
      throw new IllegalArgumentException(
          "[image] at most "
              + MAX_ELEMENTS
              + " elements expected, found "
              + height
              + " x "
              + width
              + " x "
              + channels);
    }
  }

  /// `height * width * channels`.
  public int elements() {
    return height * width * channels;
  }

  @Override
  public String toString() {
    return height + " x " + width + " x " + channels;
  }
}
