package dev.gatun.data;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Finds the EXIF orientation in a JPEG or PNG file. Whatever is wrong in that part of a file
/// counts as upright: the picture itself may still be sound.
final class Exif {
  private static final int UPRIGHT = 1;
  private static final int ORIENTATION_TAG = 0x0112;
  private static final int SHORT = 3;

  private Exif() {}

  /// The orientation, 1 to 8, 1 when the file does not tell.
  static int orientation(byte[] file) {
    ByteBuffer bytes = ByteBuffer.wrap(file);
    try {
      if (file.length > 4 && bytes.getShort(0) == (short) 0xFFD8) {
        return jpeg(bytes);
      }
      if (file.length > 8 && bytes.getInt(0) == 0x89504E47) {
        return png(bytes);
      }
    } catch (IndexOutOfBoundsException | BufferUnderflowException | IllegalArgumentException e) {
      return UPRIGHT;
    }
    return UPRIGHT;
  }

  /// Segments are `FF marker length16 data`, the length counting itself.
  private static int jpeg(ByteBuffer bytes) {
    int at = 2;
    while ((bytes.get(at) & 0xFF) == 0xFF) {
      int marker = bytes.get(at + 1) & 0xFF;
      if (marker == 0xFF) { // fill byte
        at++;
        continue;
      }
      if (marker == 0xDA || marker == 0xD9) { // pixels begin, or the end
        return UPRIGHT;
      }
      int length = bytes.getShort(at + 2) & 0xFFFF;
      if (marker == 0xE1 && length >= 8 && bytes.getInt(at + 4) == 0x45786966) { // "Exif"
        return tiff(bytes.slice(at + 10, length - 8));
      }
      at += 2 + length;
    }
    return UPRIGHT;
  }

  /// Chunks are `length32 name data crc32`.
  private static int png(ByteBuffer bytes) {
    int at = 8;
    while (true) {
      int length = bytes.getInt(at);
      int name = bytes.getInt(at + 4);
      if (name == 0x65584966) { // "eXIf"
        return tiff(bytes.slice(at + 8, length));
      }
      if (length < 0 || name == 0x49454E44) { // "IEND"
        return UPRIGHT;
      }
      at += 12 + length; // when it overflows, the next look is out of bounds
    }
  }

  private static int tiff(ByteBuffer tiff) {
    tiff.order(tiff.getShort(0) == 0x4949 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    int directory = tiff.getInt(4);
    int entries = tiff.getShort(directory) & 0xFFFF;
    for (int i = 0; i < entries; i++) {
      int entry = directory + 2 + 12 * i;
      if ((tiff.getShort(entry) & 0xFFFF) == ORIENTATION_TAG) {
        int value = tiff.getShort(entry + 8) & 0xFFFF;
        boolean sound = tiff.getShort(entry + 2) == SHORT && value >= 1 && value <= 8;
        return sound ? value : UPRIGHT;
      }
    }
    return UPRIGHT;
  }
}
