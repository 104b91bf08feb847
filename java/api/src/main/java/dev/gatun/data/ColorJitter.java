package dev.gatun.data;

import dev.gatun.random.RandomStream;

/// Colours mixed with what lacks something, by a factor uniform in [1 - limit, 1 + limit]: value ·
/// factor + other · (1 - factor), rounded and kept in [0, 255].
///
/// @param kind which other
/// @param limit in (0, 1]
public record ColorJitter(Kind kind, double limit) implements Augmentation {
  /// What the colours are mixed with.
  public enum Kind {
    /// With black.
    BRIGHTNESS,
    /// With the mean grey of the image.
    CONTRAST,
    /// With the grey of the same pixel, 0.299 red + 0.587 green + 0.114 blue.
    SATURATION
  }

  /// @throws IllegalArgumentException when the limit is not in (0, 1]
  public ColorJitter {
    if (!(limit > 0 && limit <= 1)) {
      throw new IllegalArgumentException(
          "[" + name(kind) + "] a limit in (0, 1] expected, found " + limit);
    }
  }

  @Override
  public ImageShape output(ImageShape input) {
    if (input.channels() != 3 && (kind == Kind.SATURATION || input.channels() != 1)) {
      throw new IllegalArgumentException(
          "[" + name(kind) + "] a colour image expected, found " + input);
    }
    return input;
  }

  @Override
  public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
    mix(source, input, target, random.nextDouble(1 - limit, 1 + limit));
  }

  void mix(byte[] source, ImageShape shape, byte[] target, double factor) {
    int channels = shape.channels();
    double mean = 0;
    if (kind == Kind.CONTRAST) {
      for (int p = 0; p < shape.elements(); p += channels) {
        mean += grey(source, p, channels);
      }
      mean /= shape.height() * shape.width();
    }
    for (int p = 0; p < shape.elements(); p += channels) {
      double other =
          switch (kind) {
            case BRIGHTNESS -> 0;
            case CONTRAST -> mean;
            case SATURATION -> grey(source, p, channels);
          };
      for (int c = 0; c < channels; c++) {
        target[p + c] = clamped((source[p + c] & 0xFF) * factor + other * (1 - factor));
      }
    }
  }

  static byte clamped(double value) {
    return (byte) Math.clamp(Math.round(value), 0, 255);
  }

  private static double grey(byte[] image, int at, int channels) {
    return channels == 1
        ? image[at] & 0xFF
        : 0.299 * (image[at] & 0xFF)
            + 0.587 * (image[at + 1] & 0xFF)
            + 0.114 * (image[at + 2] & 0xFF);
  }

  private static String name(Kind kind) {
    return kind.name().toLowerCase(java.util.Locale.ROOT);
  }
}
