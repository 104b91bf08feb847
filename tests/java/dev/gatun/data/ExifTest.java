package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ExifTest {
  @Test
  void jpegAndPngInBothByteOrders() {
    for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
      for (int orientation = 1; orientation <= 8; orientation++) {
        assertEquals(orientation, Exif.orientation(jpeg(tiff(order, orientation))));
        assertEquals(orientation, Exif.orientation(png(tiff(order, orientation))));
      }
    }
  }

  @Test
  void whatIsNotThereOrWrongCountsAsUpright() {
    assertEquals(1, Exif.orientation(new byte[0]));
    assertEquals(1, Exif.orientation(new byte[] {(byte) 0xFF, (byte) 0xD8}));
    assertEquals(1, Exif.orientation(SampleData.bytes(100, 1)));
    assertEquals(1, Exif.orientation(jpeg(tiff(ByteOrder.BIG_ENDIAN, 0))));
    assertEquals(1, Exif.orientation(jpeg(tiff(ByteOrder.BIG_ENDIAN, 9))));
    byte[] endless = png(tiff(ByteOrder.BIG_ENDIAN, 6));
    ByteBuffer.wrap(endless).putInt(8, Integer.MAX_VALUE); // the length of the first chunk
    assertEquals(1, Exif.orientation(endless));
    byte[] whole = jpeg(tiff(ByteOrder.BIG_ENDIAN, 6));
    for (int length = 0; length < whole.length - 2; length++) {
      int found = Exif.orientation(Arrays.copyOf(whole, length));
      assertTrue(found == 1 || found == 6);
    }
  }

  @Test
  void damageIsNeverAnException() {
    byte[] damage = SampleData.bytes(4000, 2);
    for (byte[] whole :
        new byte[][] {
          jpeg(tiff(ByteOrder.LITTLE_ENDIAN, 6)), png(tiff(ByteOrder.LITTLE_ENDIAN, 6))
        }) {
      for (int i = 0; i < damage.length; i += 2) {
        byte[] damaged = whole.clone();
        damaged[(damage[i] & 0xFF) % whole.length] = damage[i + 1];
        int found = Exif.orientation(damaged);
        assertTrue(found >= 1 && found <= 8);
      }
    }
  }

  /// A directory with another entry before that of the orientation.
  private static byte[] tiff(ByteOrder order, int orientation) {
    ByteBuffer tiff = ByteBuffer.allocate(38).order(order);
    tiff.putShort((short) (order == ByteOrder.BIG_ENDIAN ? 0x4D4D : 0x4949));
    tiff.putShort((short) 42).putInt(8).putShort((short) 2);
    tiff.putShort((short) 0x0100).putShort((short) 4).putInt(1).putInt(640);
    tiff.putShort((short) 0x0112).putShort((short) 3).putInt(1).putShort((short) orientation);
    return tiff.array();
  }

  /// Another segment, then that with the directory, then the pixels.
  private static byte[] jpeg(byte[] tiff) {
    ByteBuffer jpeg = ByteBuffer.allocate(2 + 8 + 10 + tiff.length + 4);
    jpeg.putShort((short) 0xFFD8);
    jpeg.putShort((short) 0xFFE0).putShort((short) 6).putInt(0x4A464946);
    jpeg.putShort((short) 0xFFE1).putShort((short) (8 + tiff.length));
    jpeg.putInt(0x45786966).putShort((short) 0).put(tiff);
    return jpeg.putShort((short) 0xFFDA).array();
  }

  /// Another chunk, then that with the directory, then the end.
  private static byte[] png(byte[] tiff) {
    ByteBuffer png = ByteBuffer.allocate(8 + 16 + 12 + tiff.length + 12);
    png.putInt(0x89504E47).putInt(0x0D0A1A0A);
    png.putInt(4).putInt(0x67414D41).putInt(45455).putInt(0);
    png.putInt(tiff.length).putInt(0x65584966).put(tiff).putInt(0);
    return png.putInt(0).putInt(0x49454E44).array();
  }
}
