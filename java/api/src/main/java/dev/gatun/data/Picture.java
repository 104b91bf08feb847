package dev.gatun.data;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/// A decoded picture file: 8-bit red, green, blue in the stored orientation.
///
/// Grey becomes three equal channels, 16-bit values their upper 8 bits, palettes their colours;
/// alpha is dropped.
///
/// @param width stored columns
/// @param height stored rows
/// @param rgb `[height, width, 3]`, unsigned bytes
/// @param orientation EXIF orientation, 1 to 8: how to turn the stored picture upright
@SuppressWarnings("ArrayRecordComponent") // package-private, never compared
record Picture(int width, int height, byte[] rgb, int orientation) {
  private static final int MAX_PIXELS = 1 << 27;

  /// Decodes a file of any format that the JDK reads: JPEG, PNG, GIF (first frame), BMP, TIFF.
  ///
  /// @throws DataFormatException when it cannot: the file is missing, empty, truncated, damaged,
  ///   CMYK or of an unknown format
  static Picture read(Path file) {
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new DataFormatException(file, "cannot be read: " + e, e);
    }
    if (bytes.length == 0) {
      throw new DataFormatException(file, "a picture expected, found an empty file");
    }
    BufferedImage image = decode(file, bytes);
    return new Picture(
        image.getWidth(), image.getHeight(), rgb(file, image), Exif.orientation(bytes));
  }

  private static BufferedImage decode(Path file, byte[] bytes) {
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new DataFormatException(
            file, "a JPEG, PNG, GIF, BMP or TIFF picture expected, found another kind of file");
      }
      ImageReader reader = readers.next();
      try {
        // The JPEG reader only warns of a file that ends too early, and fills the rest with grey.
        StringBuilder warnings = new StringBuilder();
        reader.addIIOReadWarningListener(
            (source, warning) -> warnings.append(warning).append("; "));
        reader.setInput(in, true, true);
        long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
        if (pixels > MAX_PIXELS) {
          throw new DataFormatException(
              file,
              "at most "
                  + MAX_PIXELS
                  + " pixels expected, found "
                  + reader.getWidth(0)
                  + " x "
                  + reader.getHeight(0));
        }
        BufferedImage image = reader.read(0);
        String warning = warnings.toString();
        if (warning.contains("Truncated") || warning.contains("Premature")) {
          throw new DataFormatException(file, "truncated: the decoder says " + warning);
        }
        return image;
      } finally {
        reader.dispose();
      }
    } catch (DataFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // Damaged files make the decoders throw anything, ArrayIndexOutOfBoundsException for one.
      throw new DataFormatException(file, "damaged, truncated or of an unsupported form: " + e, e);
    }
  }

  private static byte[] rgb(Path file, BufferedImage image) {
    ColorModel colors = image.getColorModel();
    Raster raster = image.getRaster();
    int width = image.getWidth();
    int height = image.getHeight();
    byte[] rgb = new byte[width * height * 3];
    if (colors instanceof IndexColorModel palette) {
      int[] samples = new int[width];
      for (int y = 0, p = 0; y < height; y++) {
        raster.getSamples(0, y, width, 1, 0, samples);
        for (int x = 0; x < width; x++, p += 3) {
          rgb[p] = (byte) palette.getRed(samples[x]);
          rgb[p + 1] = (byte) palette.getGreen(samples[x]);
          rgb[p + 2] = (byte) palette.getBlue(samples[x]);
        }
      }
      return rgb;
    }
    int bands = raster.getNumBands();
    int colorBands = colors.getNumColorComponents();
    int type = colors.getColorSpace().getType();
    if (type == ColorSpace.TYPE_CMYK || colorBands == 4 || (bands == 4 && !colors.hasAlpha())) {
      throw new DataFormatException(
          file, "a grey or red-green-blue picture expected, found CMYK (four colours); convert it");
    }
    if (colorBands != 1 && colorBands != 3) {
      throw new DataFormatException(file, "1 or 3 colour channels expected, found " + colorBands);
    }
    // From the raster: getRGB would take grey through a linear colour space and change the values.
    int green = colorBands == 1 ? 0 : 1;
    int blue = colorBands == 1 ? 0 : 2;
    int[] samples = new int[width * bands];
    int[] bits = raster.getSampleModel().getSampleSize();
    int kind = raster.getTransferType();
    if (kind == DataBuffer.TYPE_FLOAT
        || kind == DataBuffer.TYPE_DOUBLE
        || Arrays.stream(bits).min().orElse(0) < 1) {
      throw new DataFormatException(
          file, "samples that are whole numbers of 1 bit at least expected, found others");
    }
    for (int y = 0, p = 0; y < height; y++) {
      raster.getPixels(0, y, width, 1, samples);
      for (int x = 0; x < samples.length; x += bands, p += 3) {
        rgb[p] = toByte(samples[x], bits[0]);
        rgb[p + 1] = toByte(samples[x + green], bits[green]);
        rgb[p + 2] = toByte(samples[x + blue], bits[blue]);
      }
    }
    return rgb;
  }

  private static byte toByte(int sample, int bits) {
    if (bits == 8) {
      return (byte) sample;
    }
    return (byte) (bits > 8 ? sample >> (bits - 8) : sample * 255 / ((1 << bits) - 1));
  }

  /// The upright picture, scaled so that it just covers `height` x `width` and cut around its
  /// middle.
  ///
  /// Each pixel is the mean of the source under a triangle that is at least one source pixel wide
  /// on either side and grows with the reduction, so that small copies of large pictures do not
  /// alias.
  ///
  /// @param target `[height, width, 3]` from `offset` on
  void fit(int targetHeight, int targetWidth, byte[] target, int offset) {
    boolean turned = orientation >= 5; // stored columns are upright rows
    int outHeight = turned ? targetWidth : targetHeight;
    int outWidth = turned ? targetHeight : targetWidth;
    double step = Math.min((double) height / outHeight, (double) width / outWidth);
    Taps rows = new Taps(outHeight, height, step);
    Taps columns = new Taps(outWidth, width, step);
    int firstRow = rows.first(0);
    int lastRow = rows.first(outHeight - 1) + rows.count(outHeight - 1);
    float[] narrow = new float[(lastRow - firstRow) * outWidth * 3];
    for (int y = firstRow, n = 0; y < lastRow; y++) {
      for (int x = 0; x < outWidth; x++, n += 3) {
        int p = (y * width + columns.first(x)) * 3;
        for (int tap = 0; tap < columns.count(x); tap++, p += 3) {
          float weight = columns.weight(x, tap);
          narrow[n] += weight * (rgb[p] & 0xFF);
          narrow[n + 1] += weight * (rgb[p + 1] & 0xFF);
          narrow[n + 2] += weight * (rgb[p + 2] & 0xFF);
        }
      }
    }
    for (int y = 0; y < outHeight; y++) {
      for (int x = 0; x < outWidth; x++) {
        int to = offset + 3 * upright(x, y, outWidth, outHeight);
        for (int c = 0; c < 3; c++) {
          float sum = 0;
          for (int tap = 0; tap < rows.count(y); tap++) {
            int row = rows.first(y) + tap - firstRow;
            sum += rows.weight(y, tap) * narrow[(row * outWidth + x) * 3 + c];
          }
          target[to + c] = (byte) Math.clamp((int) (sum + 0.5f), 0, 255);
        }
      }
    }
  }

  /// Where pixel `(x, y)` of a stored picture of `columns` x `rows` comes to lie, counted row by
  /// row, in the upright one.
  private int upright(int x, int y, int columns, int rows) {
    int left = columns - 1 - x; // x from the other side
    int up = rows - 1 - y;
    return switch (orientation) {
      case 2 -> y * columns + left;
      case 3 -> up * columns + left;
      case 4 -> up * columns + x;
      case 5 -> x * rows + y;
      case 6 -> x * rows + up;
      case 7 -> left * rows + up;
      case 8 -> left * rows + y;
      default -> y * columns + x;
    };
  }

  /// Which source samples make each output sample along one axis, and with what weights.
  private static final class Taps {
    private final int[] first;
    private final float[][] weights;

    /// `outputs` samples `step` source samples apart, around the middle of `inputs`.
    Taps(int outputs, int inputs, double step) {
      first = new int[outputs];
      weights = new float[outputs][];
      double start = (inputs - outputs * step) / 2;
      double reach = Math.max(1, step);
      for (int i = 0; i < outputs; i++) {
        double center = start + (i + 0.5) * step;
        int from = (int) Math.max(0, Math.floor(center - reach + 0.5));
        int to = (int) Math.min(inputs, Math.floor(center + reach + 0.5));
        double[] triangle = new double[to - from];
        double sum = 0;
        for (int j = from; j < to; j++) {
          triangle[j - from] = Math.max(0, 1 - Math.abs(j + 0.5 - center) / reach);
          sum += triangle[j - from];
        }
        first[i] = from;
        weights[i] = new float[to - from];
        for (int j = 0; j < triangle.length; j++) {
          weights[i][j] = (float) (triangle[j] / sum);
        }
      }
    }

    int first(int output) {
      return first[output];
    }

    int count(int output) {
      return weights[output].length;
    }

    float weight(int output, int tap) {
      return weights[output][tap];
    }
  }
}
