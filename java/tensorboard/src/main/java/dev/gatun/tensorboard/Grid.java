package dev.gatun.tensorboard;

import dev.gatun.Shape;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import javax.imageio.ImageIO;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/// Pictures row by row in one, each stretched for itself from its least to its greatest number,
/// with black lines between.
///
/// @param pixels `[height, width, channels]`
record Grid(int height, int width, int channels, byte[] pixels) {
  private static final int MOST = 64; // pictures
  private static final int LEAST_SIDE = 32; // pixels, which smaller pictures are enlarged to
  private static final int GAP = 2;
  private static final int WHITE = 255;

  /// Whether such pictures can be shown: `[H, W, C]` in grey or in colours.
  static boolean shows(Shape picture) {
    return picture.rank() == 3 && (picture.dim(-1) == 1 || picture.dim(-1) == 3);
  }

  /// The first of these pictures, which have one shape that can be shown.
  static Grid of(float[] pictures, Shape shape) {
    int tileHeight = Math.toIntExact(shape.dim(0));
    int tileWidth = Math.toIntExact(shape.dim(1));
    int channels = Math.toIntExact(shape.dim(2));
    int each = tileHeight * tileWidth * channels;
    int count = Math.min(MOST, pictures.length / each);
    int zoom = Math.max(1, Math.ceilDiv(LEAST_SIDE, Math.max(tileHeight, tileWidth)));
    int columns = (int) Math.ceil(Math.sqrt(count));
    int rows = Math.ceilDiv(count, columns);
    int across = tileWidth * zoom + GAP;
    int down = tileHeight * zoom + GAP;
    int width = columns * across - GAP;
    int height = rows * down - GAP;
    byte[] pixels = new byte[height * width * channels];
    for (int k = 0; k < count; k++) {
      byte[] tile = stretched(Arrays.copyOfRange(pictures, k * each, (k + 1) * each));
      int top = k / columns * down;
      int left = k % columns * across;
      for (int y = 0; y < tileHeight * zoom; y++) {
        for (int x = 0; x < tileWidth * zoom; x++) {
          int from = (y / zoom * tileWidth + x / zoom) * channels;
          int to = ((top + y) * width + left + x) * channels;
          System.arraycopy(tile, from, pixels, to, channels);
        }
      }
    }
    return new Grid(height, width, channels, pixels);
  }

  /// From 0 for the least finite number to 255 for the greatest; grey if they are equal. What is
  /// not a number is black.
  private static byte[] stretched(float[] picture) {
    float least = Float.POSITIVE_INFINITY;
    float greatest = Float.NEGATIVE_INFINITY;
    for (float element : picture) {
      if (Float.isFinite(element)) {
        least = Math.min(least, element);
        greatest = Math.max(greatest, element);
      }
    }
    double range = (double) greatest - least;
    byte[] levels = new byte[picture.length];
    for (int i = 0; i < levels.length; i++) {
      double share = range > 0 ? (picture[i] - (double) least) / range : 0.5;
      levels[i] = (byte) Math.round(WHITE * Math.clamp(share, 0, 1)); // NaN becomes 0
    }
    return levels;
  }

  /// As a PNG.
  byte[] png() {
    int type = channels == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_3BYTE_BGR;
    BufferedImage image = new BufferedImage(width, height, type);
    int[] samples = new int[pixels.length];
    Arrays.setAll(samples, i -> pixels[i] & WHITE);
    image.getRaster().setPixels(0, 0, width, height, samples);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
      if (!ImageIO.write(image, "png", out)) {
        throw new IllegalStateException("there is no writer of PNGs");
      }
    } catch (IOException e) {
      throw new UncheckedIOException("memory refuses bytes", e);
    }
    return bytes.toByteArray();
  }
}
