package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ForkJoinPool;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;

class DrawnCharactersTest {
  private static final long GOLDEN = 211373830L;

  @Test
  void thirtySixClassesInEqualParts() {
    Split split = DrawnCharacters.make(1, 720, 100);
    assertEquals(720, split.train().size());
    assertEquals(100, split.test().size());
    assertEquals(new ImageShape(32, 32, 3), split.train().image());
    assertEquals(36, split.train().classes());
    assertEquals("0", split.train().classNames().getFirst());
    assertEquals("Z", split.train().classNames().getLast());
    int[] counts = new int[36];
    for (int i = 0; i < 720; i++) {
      counts[split.train().label(i)]++;
    }
    for (int count : counts) {
      assertEquals(20, count);
    }
    assertThrows(IllegalArgumentException.class, () -> DrawnCharacters.make(1, 0, 10));
  }

  /// The bytes are pinned: a change here changes every figure measured on this set.
  @Test
  void theSameBytesOnEveryMachine() {
    assertEquals(GOLDEN, checksum(DrawnCharacters.make(1, 500, 1).train()));
  }

  @Test
  void threadsDoNotMatter() throws Exception {
    Set<Long> checksums = new HashSet<>();
    for (int threads : new int[] {1, 2, 5}) {
      try (ForkJoinPool pool = new ForkJoinPool(threads)) {
        checksums.add(pool.submit(() -> checksum(DrawnCharacters.make(3, 1000, 1).train())).get());
      }
    }
    assertEquals(1, checksums.size());
  }

  @Test
  void seedsAndPartsDifferAndSmallerSetsAreBeginnings() {
    Split one = DrawnCharacters.make(1, 72, 72);
    Split two = DrawnCharacters.make(2, 72, 72);
    Split more = DrawnCharacters.make(1, 300, 80);
    Set<Integer> different = new HashSet<>();
    for (int i = 0; i < 72; i++) {
      assertArrayEquals(SampleData.image(one.train(), i), SampleData.image(more.train(), i));
      assertArrayEquals(SampleData.image(one.test(), i), SampleData.image(more.test(), i));
      different.add(Arrays.hashCode(SampleData.image(one.train(), i)));
      different.add(Arrays.hashCode(SampleData.image(one.test(), i)));
      different.add(Arrays.hashCode(SampleData.image(two.train(), i)));
    }
    assertEquals(3 * 72, different.size());
  }

  @Test
  void everyShapeStaysInItsBoxAndTouchesTopAndBottom() {
    assertEquals(36, Glyphs.CHARACTERS.length());
    for (int character = 0; character < 36; character++) {
      for (int shape = 0; shape < Glyphs.shapes(character); shape++) {
        double top = 99;
        double bottom = -99;
        assertEquals('M', Glyphs.shape(character, shape).getFirst().kind());
        for (Glyphs.Element element : Glyphs.shape(character, shape)) {
          assertTrue(element.x() >= -1 && element.x() <= Glyphs.WIDTH + 1);
          top = Math.min(top, element.y());
          bottom = Math.max(bottom, element.y());
        }
        String which = Glyphs.CHARACTERS.charAt(character) + ", shape " + shape;
        assertEquals(0, top, which);
        assertTrue(bottom >= Glyphs.HEIGHT && bottom <= Glyphs.HEIGHT + 1.5, which);
      }
    }
    assertThrows(IndexOutOfBoundsException.class, () -> Glyphs.shapes(36));
  }

  @Test
  void inkIsVisibleAndInsideThePicture() {
    // The corners show the ground; the median of the pixels farthest from it must differ clearly.
    Dataset train = DrawnCharacters.make(5, 720, 1).train();
    for (int i = 0; i < train.size(); i++) {
      byte[] image = SampleData.image(train, i);
      double corners = (luma(image, 0) + luma(image, 31)) / 2;
      corners = (corners + (luma(image, 31 * 32) + luma(image, 1023)) / 2) / 2;
      double[] distances = new double[1024];
      for (int p = 0; p < 1024; p++) {
        distances[p] = Math.abs(luma(image, p) - corners);
      }
      Arrays.sort(distances);
      assertTrue(distances[1023 - 15] > 35, "image " + i + ": " + distances[1023 - 15]);
    }
  }

  @Test
  void strokesCoverWhatTheyShould() {
    StrokeRaster raster = new StrokeRaster(9, 20);
    raster.pen(1.5, 1, 1, 0);
    double[] x = {5, 15};
    double[] y = {4.5, 4.5};
    raster.path(x, y, 0, 1, StrokeRaster.Cap.BUTT);
    assertEquals(10 * 3, area(raster), 0.01);
    raster.clear();
    raster.path(x, y, 0, 1, StrokeRaster.Cap.SQUARE);
    assertEquals(13 * 3, area(raster), 0.01);
    raster.clear();
    raster.path(x, y, 0, 1, StrokeRaster.Cap.ROUND);
    assertEquals(10 * 3 + Math.PI * 1.5 * 1.5, area(raster), 0.5);
    // A flat pen draws a thin line along its long side.
    raster.clear();
    raster.pen(1.5, 0.5, 1, 0);
    raster.path(x, y, 0, 1, StrokeRaster.Cap.BUTT);
    assertEquals(10 * 1.5, area(raster), 1.6);
    raster.clear();
    assertEquals(0, area(raster));
  }

  @Test
  void aPainterStartsAfresh() {
    CharacterPainter used = new CharacterPainter(new ImageShape(32, 32, 3));
    byte[] first = new byte[3072];
    byte[] again = new byte[3072];
    used.paint(10, new RandomStream(1, 1), first, 0);
    used.paint(22, new RandomStream(1, 2), again, 0);
    assertFalse(Arrays.equals(first, again));
    used.paint(10, new RandomStream(1, 1), again, 0);
    assertArrayEquals(first, again);
    assertNotEquals(0, Arrays.hashCode(first));
  }

  private static double area(StrokeRaster raster) {
    double area = 0;
    for (int pixel = 0; pixel < 9 * 20; pixel++) {
      area += raster.coverage(pixel, 0, 1);
    }
    return area;
  }

  private static double luma(byte[] image, int pixel) {
    return 0.299 * (image[3 * pixel] & 0xFF)
        + 0.587 * (image[3 * pixel + 1] & 0xFF)
        + 0.114 * (image[3 * pixel + 2] & 0xFF);
  }

  private static long checksum(Dataset dataset) {
    CRC32 crc = new CRC32();
    for (int i = 0; i < dataset.size(); i++) {
      crc.update(SampleData.image(dataset, i));
      crc.update(dataset.label(i));
    }
    return crc.getValue();
  }
}
