package dev.gatun.backend;

/// How a batch's pictures are changed at random on their way out of a data set: padded by black
/// pixels, cut to a window at a random place, mirrored, and with a square of one grey somewhere; in
/// this order.
///
/// @param pad black pixels on each of the four sides
/// @param crop whether the result is a window at a random place, rather than the whole
/// @param flip whether left and right are exchanged for half of the pictures
/// @param cutout side of a square around a random pixel; 0 for none
/// @param grey what fills the square, 0 to 255
public record PictureChange(int pad, boolean crop, boolean flip, int cutout, int grey) {
  /// Leaves pictures as they are.
  public static final PictureChange NONE = new PictureChange(0, false, false, 0, 0);

  /// Checks the ranges.
  public PictureChange {
    if (pad < 0 || cutout < 0 || grey < 0 || grey > 255) {
      throw new IllegalArgumentException(
          "[gather_pictures] expected a pad and a cutout of at least 0 and a grey of 0 to 255, found"
              + " %d, %d and %d".formatted(pad, cutout, grey));
    }
  }

  /// Whether a side of a picture becomes one of `result` pixels.
  public boolean fits(long side, long result) {
    long padded = side + 2L * pad;
    return result >= 1 && (crop ? result <= padded : result == padded);
  }
}
