package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Color;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BandedSampleModel;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.awt.image.SampleModel;
import java.awt.image.WritableRaster;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PictureTest {
  @TempDir Path folder;

  @Test
  void greyIsTakenAsItIsStored() throws IOException {
    BufferedImage grey = new BufferedImage(256, 1, BufferedImage.TYPE_BYTE_GRAY);
    for (int x = 0; x < 256; x++) {
      grey.getRaster().setSample(x, 0, 0, x);
    }
    Picture picture = Picture.read(write(grey, "grey.png"));
    for (int x = 0; x < 256; x++) {
      for (int c = 0; c < 3; c++) {
        assertEquals((byte) x, picture.rgb()[3 * x + c]);
      }
    }
  }

  @Test
  void sixteenBitsAreCutToEight() throws IOException {
    BufferedImage grey = new BufferedImage(3, 1, BufferedImage.TYPE_USHORT_GRAY);
    int[] values = {0x0000, 0x80FF, 0xFFFF};
    for (int x = 0; x < 3; x++) {
      grey.getRaster().setSample(x, 0, 0, values[x]);
    }
    byte[] rgb = Picture.read(write(grey, "grey16.png")).rgb();
    assertArrayEquals(new byte[] {0, 0, 0, (byte) 0x80, (byte) 0x80, (byte) 0x80, -1, -1, -1}, rgb);
  }

  @Test
  void colourOrderAndAlpha() throws IOException {
    for (int type :
        new int[] {
          BufferedImage.TYPE_INT_ARGB, BufferedImage.TYPE_INT_RGB, BufferedImage.TYPE_4BYTE_ABGR
        }) {
      BufferedImage image = new BufferedImage(2, 1, type);
      image.setRGB(0, 0, new Color(10, 20, 30, 255).getRGB());
      image.setRGB(1, 0, new Color(200, 100, 50, 128).getRGB());
      byte[] rgb = Picture.read(write(image, "alpha.png")).rgb();
      assertArrayEquals(new byte[] {10, 20, 30, (byte) 200, 100, 50}, rgb);
    }
  }

  @Test
  void palettesAndBits() throws IOException {
    BufferedImage indexed = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_INDEXED);
    indexed.setRGB(0, 0, 0xFFFF0000);
    indexed.setRGB(1, 0, 0xFF00FF00);
    assertArrayEquals(
        new byte[] {-1, 0, 0, 0, -1, 0}, Picture.read(write(indexed, "indexed.png")).rgb());
    BufferedImage bits = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_BINARY);
    bits.setRGB(1, 0, 0xFFFFFFFF);
    assertArrayEquals(
        new byte[] {0, 0, 0, -1, -1, -1}, Picture.read(write(bits, "bits.png")).rgb());
  }

  @Test
  void sameSizeIsCopied() {
    Picture picture = new Picture(7, 5, SampleData.bytes(105, 1), 1);
    assertArrayEquals(picture.rgb(), fit(picture, 5, 7));
  }

  @Test
  void theMiddleIsCut() {
    byte[] rgb = SampleData.bytes(9 * 3 * 3, 2);
    byte[] middle = new byte[27];
    for (int y = 0; y < 3; y++) {
      System.arraycopy(rgb, (y * 9 + 3) * 3, middle, y * 9, 9);
    }
    assertArrayEquals(middle, fit(new Picture(9, 3, rgb, 1), 3, 3));
  }

  @Test
  void oneColourStaysOneColour() {
    byte[] rgb = new byte[13 * 29 * 3];
    Arrays.fill(rgb, (byte) 200);
    for (int[] size : new int[][] {{1, 1}, {5, 4}, {32, 32}, {64, 50}}) {
      for (byte value : fit(new Picture(13, 29, rgb, 1), size[0], size[1])) {
        assertEquals((byte) 200, value);
      }
    }
  }

  @Test
  void reductionAverages() {
    // A board of single black and white pixels is grey from afar.
    byte[] board = new byte[64 * 64 * 3];
    for (int p = 0; p < 64 * 64; p++) {
      Arrays.fill(board, 3 * p, 3 * p + 3, (byte) ((p + p / 64) % 2 == 0 ? 255 : 0));
    }
    for (byte value : fit(new Picture(64, 64, board, 1), 8, 8)) {
      assertEquals(127.5, value & 0xFF, 9); // the triangle is cut off at the border
    }
  }

  @Test
  void orientationsTurnThePictureUpright() {
    // Upright:  1 2 3
    //           4 5 6
    byte[][] stored = {
      {1, 2, 3, 4, 5, 6},
      {3, 2, 1, 6, 5, 4},
      {6, 5, 4, 3, 2, 1},
      {4, 5, 6, 1, 2, 3},
      {1, 4, 2, 5, 3, 6},
      {3, 6, 2, 5, 1, 4},
      {6, 3, 5, 2, 4, 1},
      {4, 1, 5, 2, 6, 3},
    };
    byte[] upright = triple(stored[0]);
    for (int orientation = 1; orientation <= 8; orientation++) {
      int width = orientation < 5 ? 3 : 2;
      Picture picture = new Picture(width, 6 / width, triple(stored[orientation - 1]), orientation);
      assertArrayEquals(upright, fit(picture, 2, 3), "orientation " + orientation);
    }
  }

  @Test
  void unreadableFilesAreNamed() throws IOException {
    BufferedImage image = new BufferedImage(64, 64, BufferedImage.TYPE_3BYTE_BGR);
    byte[] noise = SampleData.bytes(64 * 64, 5);
    for (int p = 0; p < noise.length; p++) {
      image.setRGB(p % 64, p / 64, noise[p] * 77777);
    }
    for (String format : List.of("png", "jpg", "bmp", "gif", "tif")) {
      Path file = folder.resolve("picture." + format);
      assertTrue(ImageIO.write(image, format, file.toFile()));
      byte[] whole = Files.readAllBytes(file);
      assertEquals(64, Picture.read(file).width());
      for (int length : new int[] {10, whole.length / 3, whole.length / 2, whole.length * 9 / 10}) {
        Files.write(file, Arrays.copyOf(whole, length));
        assertFails("", file);
      }
    }
    Path file = folder.resolve("picture.jpg");
    Files.write(file, new byte[0]);
    assertFails("a picture expected, found an empty file", file);
    Files.writeString(file, "not a picture at all");
    assertFails("found another kind of file", file);
    assertFails("cannot be read", folder.resolve("missing.jpg"));
  }

  @Test
  void damageNeverEscapesAsAnotherException() throws IOException {
    BufferedImage image = new BufferedImage(24, 24, BufferedImage.TYPE_3BYTE_BGR);
    for (String format : List.of("png", "jpg", "bmp", "gif", "tif")) {
      Path file = folder.resolve("picture." + format);
      ImageIO.write(image, format, file.toFile());
      byte[] whole = Files.readAllBytes(file);
      byte[] damage = SampleData.bytes(400, 3);
      for (int i = 0; i < damage.length; i += 2) {
        byte[] damaged = whole.clone();
        damaged[(damage[i] & 0xFF) * 7 % whole.length] = damage[i + 1];
        Files.write(file, damaged);
        try {
          Picture.read(file);
        } catch (DataFormatException e) {
          assertEquals(file, e.file());
        }
      }
    }
  }

  /// TIFF may say that samples have no bits, or are floating-point numbers.
  @Test
  void samplesOfOtherKindsAreRefused() throws IOException {
    BufferedImage grey = new BufferedImage(5, 4, BufferedImage.TYPE_BYTE_GRAY);
    Path none = folder.resolve("none.tif");
    assertTrue(ImageIO.write(grey, "tif", none.toFile()));
    byte[] tiff = Files.readAllBytes(none);
    ByteBuffer bytes = ByteBuffer.wrap(tiff);
    bytes.order(tiff[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    int entry = bytes.getInt(4) + 2;
    while (bytes.getShort(entry) != 258) { // bits per sample
      entry += 12;
    }
    bytes.putShort(entry + 8, (short) 0);
    assertFails("", Files.write(none, tiff));

    SampleModel model = new BandedSampleModel(DataBuffer.TYPE_FLOAT, 5, 4, 1);
    ColorSpace space = ColorSpace.getInstance(ColorSpace.CS_GRAY);
    ColorModel colors =
        new ComponentColorModel(space, false, false, Transparency.OPAQUE, DataBuffer.TYPE_FLOAT);
    WritableRaster raster = Raster.createWritableRaster(model, null);
    Path floats = folder.resolve("floats.tif");
    assertTrue(
        ImageIO.write(new BufferedImage(colors, raster, false, null), "tif", floats.toFile()));
    assertFails("whole numbers", floats);
  }

  @Test
  void everyRealPhotoDecodes() throws IOException {
    try (Stream<Path> photos = Files.list(TestData.folder("photos"))) {
      for (Path photo : photos.sorted().toList()) {
        byte[] small = fit(Picture.read(photo), 32, 32);
        assertTrue(Arrays.hashCode(small) != Arrays.hashCode(new byte[small.length]));
      }
    }
    Picture camera = Picture.read(TestData.folder("photos").resolve("camera.png"));
    assertEquals(512, camera.width());
  }

  @Test
  void turnedPhotoIsTheUprightOne() {
    Path photos = TestData.folder("photos");
    Picture upright = Picture.read(photos.resolve("Landscape_1.jpg"));
    Picture turned = Picture.read(photos.resolve("Landscape_6.jpg"));
    assertEquals(6, turned.orientation());
    assertEquals(1200, turned.width());
    assertTrue(distance(fit(upright, 64, 96), fit(turned, 64, 96)) < 4);
  }

  @Test
  void oddPhotos() {
    Path odd = TestData.folder("photos-odd");
    Picture plain = Picture.read(odd.resolve("chelsea_226x150.png"));
    for (String same : List.of("chelsea_interlaced.png", "chelsea_rgba.png")) {
      assertArrayEquals(plain.rgb(), Picture.read(odd.resolve(same)).rgb(), same);
    }
    Picture hopper = Picture.read(TestData.folder("photos").resolve("hopper.png"));
    assertArrayEquals(hopper.rgb(), Picture.read(odd.resolve("hopper.bmp")).rgb());

    byte[] grey = Picture.read(odd.resolve("chelsea_gray16.png")).rgb();
    assertArrayEquals(grey, Picture.read(odd.resolve("chelsea_gray_alpha.png")).rgb());
    for (int p = 0; p < 226 * 150; p++) {
      // Grey was made as 0.299 R + 0.587 G + 0.114 B.
      double luma =
          0.299 * (plain.rgb()[3 * p] & 0xFF)
              + 0.587 * (plain.rgb()[3 * p + 1] & 0xFF)
              + 0.114 * (plain.rgb()[3 * p + 2] & 0xFF);
      assertEquals(luma, grey[3 * p] & 0xFF, 1.01);
    }
    for (String close :
        List.of("chelsea_q85_420_progressive.jpg", "chelsea_q85_444_baseline.jpg")) {
      assertTrue(distance(plain.rgb(), Picture.read(odd.resolve(close)).rgb()) < 6, close);
    }
    assertArrayEquals(
        new byte[] {(byte) 144, 96, 56}, Picture.read(odd.resolve("chelsea_1x1.png")).rgb());
    for (String small :
        List.of(
            "chelsea_1x1.png",
            "chelsea_226x1.png",
            "foo3x5x4indexed.png",
            "hopper_bw_500.png",
            "hopper_gray.jpg",
            "hopper_rle8.bmp",
            "hopper.gif",
            "i_trns.png",
            "palette_color.png",
            "palette_gray.png")) {
      assertEquals(32 * 32 * 3, fit(Picture.read(odd.resolve(small)), 32, 32).length);
    }
    byte[] uprightHopper = fit(hopper, 64, 64);
    for (int orientation = 2; orientation <= 8; orientation++) {
      Picture turned = Picture.read(odd.resolve("hopper_orientation_" + orientation + ".jpg"));
      assertEquals(orientation, turned.orientation());
      assertTrue(distance(uprightHopper, fit(turned, 64, 64)) < 8, "orientation " + orientation);
    }
    assertFails("CMYK", odd.resolve("chelsea_cmyk.jpg"));
    assertFails("truncated", odd.resolve("truncated.jpg"));
    assertFails("another kind of file", odd.resolve("hopper_8bit.ppm"));
  }

  private Path write(BufferedImage image, String name) throws IOException {
    Path file = folder.resolve(name);
    assertTrue(ImageIO.write(image, "png", file.toFile()));
    return file;
  }

  private static byte[] fit(Picture picture, int height, int width) {
    byte[] out = new byte[height * width * 3];
    picture.fit(height, width, out, 0);
    return out;
  }

  private static byte[] triple(byte[] grey) {
    byte[] rgb = new byte[3 * grey.length];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = grey[i / 3];
    }
    return rgb;
  }

  private static double distance(byte[] a, byte[] b) {
    assertEquals(a.length, b.length);
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs((a[i] & 0xFF) - (b[i] & 0xFF));
    }
    return sum / a.length;
  }

  private static void assertFails(String part, Path file) {
    DataFormatException e = assertThrows(DataFormatException.class, () -> Picture.read(file));
    Messages.assertSays(e, part);
    Messages.assertSays(e, file.getFileName().toString());
  }
}
