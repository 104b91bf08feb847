package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.random.RandomStream;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Flips, crops of random scale, colours, warps, cutout and the views of a test image.
class AugmentationFormsTest {
  private static final ImageShape SMALL = new ImageShape(5, 7, 3);

  @Test
  void flipVertical_isItsOwnInverse() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] once = new byte[source.length];
    byte[] twice = new byte[source.length];
    Augmentation.FlipVertical.turn(source, SMALL, once);
    assertEquals(source[0], once[4 * 21]);
    Augmentation.FlipVertical.turn(once, SMALL, twice);
    assertArrayEquals(source, twice);
    RandomStream random = new RandomStream(0, 0);
    int flipped = 0;
    for (int i = 0; i < 10_000; i++) {
      Augmentation.flipVertical().apply(source, SMALL, once, random);
      flipped += Arrays.equals(once, source) ? 0 : 1;
    }
    assertEquals(5000, flipped, 200); // 4 standard deviations
  }

  /// On a ramp, the values of a crop tell where it lies and how large a pixel is.
  @Test
  void scaledCrop_hasItsShortSides_andStaysInside() {
    ImageShape shape = new ImageShape(200, 250, 1);
    byte[] ramp = new byte[shape.elements()];
    for (int i = 0; i < ramp.length; i++) {
      ramp[i] = (byte) (i % 250);
    }
    Augmentation crop = Augmentation.scaledCrop(256, 480, 224);
    assertEquals(new ImageShape(224, 224, 1), crop.output(shape));
    byte[] target = new byte[224 * 224];
    RandomStream random = new RandomStream(3, 0);
    double sum = 0;
    double least = 1e9;
    double most = 0;
    double leftmost = 1e9;
    double rightmost = 0;
    for (int i = 0; i < 400; i++) {
      crop.apply(ramp, shape, target, random);
      double first = target[224 * 100 + 12] & 0xFF;
      double last = target[224 * 100 + 211] & 0xFF;
      double side = 200 / ((last - first) / 199); // 200 source pixels in pixels of the crop
      sum += side;
      least = Math.min(least, side);
      most = Math.max(most, side);
      leftmost = Math.min(leftmost, first);
      rightmost = Math.max(rightmost, last);
    }
    assertTrue(least > 250 && least < 270, "least " + least);
    assertTrue(most < 490 && most > 465, "most " + most);
    assertEquals(368, sum / 400, 4 * 65 / 20.0);
    assertTrue(leftmost < 12 && rightmost > 237, leftmost + " to " + rightmost);
  }

  @Test
  void scaledCrop_atItsOwnSize_isARandomCrop() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] target = new byte[5 * 5 * 3];
    Augmentation.scaledCrop(5, 5, 5).apply(source, SMALL, target, new RandomStream(1, 0));
    boolean found = false;
    for (int left = 0; left <= 2; left++) {
      boolean same = true;
      for (int y = 0; y < 5; y++) {
        same &=
            Arrays.equals(
                source, y * 21 + left * 3, y * 21 + left * 3 + 15, target, y * 15, y * 15 + 15);
      }
      found |= same;
    }
    assertTrue(found);
  }

  /// Sides from low to high, both included: 5 gives windows of the picture, 6 none.
  @Test
  void scaledCrop_drawsBothEndsOfItsRange() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] target = new byte[5 * 5 * 3];
    RandomStream random = new RandomStream(1, 0);
    int windows = 0;
    for (int i = 0; i < 100; i++) {
      Augmentation.scaledCrop(5, 6, 5).apply(source, SMALL, target, random);
      boolean found = false;
      for (int left = 0; left <= 2; left++) {
        found |= Arrays.equals(source, left * 3, left * 3 + 15, target, 0, 15);
      }
      windows += found ? 1 : 0;
    }
    assertEquals(50, windows, 20);
  }

  @Test
  void randomResizedCrop_hasItsAreas() {
    ImageShape shape = new ImageShape(100, 200, 2);
    byte[] places = new byte[shape.elements()];
    for (int y = 0, i = 0; y < 100; y++) {
      for (int x = 0; x < 200; x++) {
        places[i++] = (byte) y;
        places[i++] = (byte) x;
      }
    }
    Augmentation crop = Augmentation.randomResizedCrop(32, 32);
    byte[] target = new byte[32 * 32 * 2];
    RandomStream random = new RandomStream(3, 0);
    double sum = 0;
    for (int i = 0; i < 500; i++) {
      crop.apply(places, shape, target, random);
      double high = ((target[2 * 32 * 24] & 0xFF) - (target[2 * 32 * 8] & 0xFF)) * 2.0;
      double wide = ((target[2 * 24 + 1] & 0xFF) - (target[2 * 8 + 1] & 0xFF)) * 2.0;
      double area = high * wide / 20_000;
      assertTrue(area > 0.06 && area < 1.05, "area " + area);
      assertTrue(wide / high > 0.65 && wide / high < 1.55, wide + " x " + high);
      sum += area;
    }
    // Uniform in [0.08, 1], but what does not fit in ten tries; large squares do not.
    assertTrue(sum / 500 > 0.3 && sum / 500 < 0.54, "mean area " + sum / 500);
    byte[] flat = new byte[4 * 90];
    crop.apply(flat, new ImageShape(2, 90, 2), target, random); // nothing fits: the middle
  }

  /// Pillow's BILINEAR of the same bytes.
  @Test
  void resampling_reducesByATriangle_andEnlargesLinearly() {
    byte[] two = {0, 100};
    byte[] four = new byte[4];
    Resampling.window(two, new ImageShape(1, 2, 1), 0, 0, 1, 2, four, 1, 4);
    assertArrayEquals(new byte[] {0, 25, 75, 100}, four);
    byte[] back = new byte[2];
    Resampling.window(new byte[] {0, 40, 80, 120}, new ImageShape(1, 4, 1), 0, 0, 1, 4, back, 1, 2);
    // Weights .25 .75 .75 .25 around 0.5: (0·.75 + 40·.75 + 80·.25) / 1.75.
    assertArrayEquals(new byte[] {29, 91}, back);
    byte[] constant = new byte[30];
    Arrays.fill(constant, (byte) 200);
    byte[] same = new byte[8];
    Resampling.window(constant, new ImageShape(5, 6, 1), 0.3, 0.2, 4, 5, same, 2, 4);
    for (byte value : same) {
      assertEquals((byte) 200, value);
    }
  }

  @Test
  void colours_followTheirFormula() {
    ImageShape pixel = new ImageShape(1, 2, 3);
    byte[] source = {100, 50, 25, 20, 40, 60};
    byte[] target = new byte[6];
    new ColorJitter(ColorJitter.Kind.BRIGHTNESS, 1).mix(source, pixel, target, 1.2);
    assertArrayEquals(new byte[] {120, 60, 30, 24, 48, 72}, target);
    new ColorJitter(ColorJitter.Kind.SATURATION, 1).mix(source, pixel, target, 0);
    assertArrayEquals(new byte[] {62, 62, 62, 36, 36, 36}, target);
    new ColorJitter(ColorJitter.Kind.CONTRAST, 1).mix(source, pixel, target, 0);
    assertArrayEquals(new byte[] {49, 49, 49, 49, 49, 49}, target);
    new ColorJitter(ColorJitter.Kind.CONTRAST, 1).mix(source, pixel, target, 1);
    assertArrayEquals(source, target);
    RandomStream random = new RandomStream(1, 0);
    byte[] grey = {100};
    int least = 255;
    int most = 0;
    double sum = 0;
    for (int i = 0; i < 4000; i++) {
      Augmentation.brightness(0.4).apply(grey, new ImageShape(1, 1, 1), target, random);
      least = Math.min(least, target[0] & 0xFF);
      most = Math.max(most, target[0] & 0xFF);
      sum += target[0] & 0xFF;
    }
    assertEquals(60, least);
    assertEquals(140, most);
    assertEquals(100, sum / 4000, 4 * 23.1 / Math.sqrt(4000));
  }

  @Test
  void colorOffset_isTheSameForAllPixels_withItsCovariance() {
    ImageShape shape = new ImageShape(4, 4, 3);
    RandomStream random = new RandomStream(2, 0);
    byte[] pixels = new byte[20 * shape.elements()];
    for (int p = 0; p < pixels.length; p += 3) { // bright and dark, a little red
      double light = 60 * random.nextGaussian();
      pixels[p] = ColorJitter.clamped(128 + light + 30 * random.nextGaussian());
      pixels[p + 1] = ColorJitter.clamped(128 + light);
      pixels[p + 2] = ColorJitter.clamped(128 + 0.5 * light);
    }
    Dataset train = MemoryDataset.of("colours", shape, pixels, new int[20]);
    ColorOffset offset = ColorOffset.fit(train, 0.5);
    byte[] grey = new byte[shape.elements()];
    Arrays.fill(grey, (byte) 128);
    byte[] target = new byte[grey.length];
    offset.apply(grey, shape, target, random);
    for (int p = 3; p < target.length; p += 3) {
      assertArrayEquals(Arrays.copyOf(target, 3), Arrays.copyOfRange(target, p, p + 3));
    }
    assertNotEquals(128, target[0] & 0xFF);
    int draws = 20_000;
    double[][] covariance = new double[3][3];
    for (int i = 0; i < draws; i++) {
      random.restart(i);
      double[] drawn = new double[3];
      for (int c = 0; c < 3; c++) {
        random.skipTo(0);
        drawn[c] = offset.offset(c, random);
      }
      for (int c = 0; c < 3; c++) {
        for (int d = 0; d < 3; d++) {
          covariance[c][d] += drawn[c] * drawn[d] / draws;
        }
      }
    }
    double greatest = Math.pow(0.5 * offset.eigenvalues()[0], 2);
    for (int c = 0; c < 3; c++) {
      for (int d = 0; d < 3; d++) {
        double expected = 0;
        for (int i = 0; i < 3; i++) {
          expected +=
              Math.pow(0.5 * offset.eigenvalues()[i], 2)
                  * offset.eigenvectors()[i][c]
                  * offset.eigenvectors()[i][d];
        }
        assertEquals(expected, covariance[c][d], 0.04 * greatest);
      }
    }
  }

  @Test
  void affineMaps_andTheirInverses() {
    AffineMap map =
        AffineMap.rotation(30)
            .then(AffineMap.shear(20))
            .then(AffineMap.scaling(2, 0.5))
            .then(AffineMap.translation(3, -1));
    AffineMap back = map.inverse();
    assertEquals(5, back.x(map.x(5, -7), map.y(5, -7)), 1e-12);
    assertEquals(-7, back.y(map.x(5, -7), map.y(5, -7)), 1e-12);
    AffineMap quarter = AffineMap.rotation(90);
    assertEquals(-2, quarter.x(1, 2), 1e-12);
    assertEquals(1, quarter.y(1, 2), 1e-12);
  }

  @Test
  void quarterTurns_andWholeShifts_areExact() {
    ImageShape square = new ImageShape(6, 6, 2);
    byte[] source = SampleData.bytes(square.elements(), 1);
    byte[] turned = new byte[source.length];
    Warp.warp(source, square, turned, AffineMap.rotation(90));
    for (int y = 0; y < 6; y++) {
      for (int x = 0; x < 6; x++) { // clockwise: the left column becomes the upper row
        assertEquals(source[((5 - x) * 6 + y) * 2], turned[(y * 6 + x) * 2]);
      }
    }
    byte[] moved = new byte[source.length];
    Warp.warp(source, square, moved, AffineMap.translation(2, 1));
    assertEquals(source[0], moved[(6 + 2) * 2]);
    assertEquals(0, moved[0]);
  }

  /// A smooth picture comes back from a warp and its inverse, away from the border.
  @Test
  void warps_comeBack() {
    ImageShape shape = new ImageShape(64, 64, 1);
    byte[] smooth = new byte[shape.elements()];
    for (int y = 0, i = 0; y < 64; y++) {
      for (int x = 0; x < 64; x++) {
        smooth[i++] = (byte) Math.round(128 + 100 * Math.sin(x / 9.0) * Math.cos(y / 11.0));
      }
    }
    byte[] there = new byte[smooth.length];
    byte[] back = new byte[smooth.length];
    for (AffineMap map :
        new AffineMap[] {
          AffineMap.rotation(17),
          AffineMap.shear(12),
          AffineMap.scaling(1.2, 0.9),
          AffineMap.translation(3.4, -5.7)
        }) {
      Warp.warp(smooth, shape, there, map);
      Warp.warp(there, shape, back, map.inverse());
      assertNear(smooth, back, 20, 4);
    }
    Warp.distort(smooth, shape, there, 0.2);
    byte[] straight = new byte[smooth.length];
    double corner = Math.hypot(31.5, 31.5);
    for (int y = 16; y < 48; y++) { // back by the formula: the value at r is now at r (1 + κ r²)
      for (int x = 16; x < 48; x++) {
        double r = Math.hypot(x - 31.5, y - 31.5) / corner;
        double factor = 1 + 0.2 * r * r;
        long toX = Math.round(31.5 + (x - 31.5) * factor);
        long toY = Math.round(31.5 + (y - 31.5) * factor);
        straight[y * 64 + x] = there[(int) (toY * 64 + toX)];
      }
    }
    assertNear(smooth, straight, 16, 16);
    for (double kappa : new double[] {-0.3, -0.1, 0.3}) {
      for (double r : new double[] {0.2, 0.6, 0.95}) {
        assertEquals(r, Warp.undistorted(r * (1 + kappa * r * r), kappa), 1e-9);
      }
    }
    assertTrue(Warp.undistorted(0.8, -0.3) > 1); // where the edge comes no further than 0.7
  }

  private static void assertNear(byte[] expected, byte[] found, int border, int most) {
    for (int y = border; y < 64 - border; y++) {
      for (int x = border; x < 64 - border; x++) {
        assertEquals(expected[y * 64 + x] & 0xFF, found[y * 64 + x] & 0xFF, most, x + ", " + y);
      }
    }
  }

  @Test
  void cutout_isASquare_cutOffAtTheBorder() {
    ImageShape shape = new ImageShape(8, 10, 2);
    byte[] source = new byte[shape.elements()];
    Arrays.fill(source, (byte) 1);
    byte[] target = new byte[source.length];
    RandomStream random = new RandomStream(0, 0);
    int largest = 0;
    boolean corner = false;
    for (int i = 0; i < 500; i++) {
      Augmentation.cutout(4).apply(source, shape, target, random);
      int top = 8;
      int bottom = -1;
      int left = 10;
      int right = -1;
      int black = 0;
      for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 10; x++) {
          assertEquals(target[(y * 10 + x) * 2], target[(y * 10 + x) * 2 + 1]);
          if (target[(y * 10 + x) * 2] == 0) {
            top = Math.min(top, y);
            bottom = Math.max(bottom, y);
            left = Math.min(left, x);
            right = Math.max(right, x);
            black++;
          }
        }
      }
      assertEquals(black, (bottom - top + 1) * (right - left + 1));
      assertTrue(black >= 4 && black <= 16, black + " black");
      largest = Math.max(largest, black);
      corner |= target[0] == 0;
    }
    assertEquals(16, largest);
    assertTrue(corner);
  }

  @Test
  void fiftyViews_areFourCornersAndTheMiddle_andTheirMirrorImages() {
    TestViews views = TestViews.multiScale();
    assertEquals(50, views.count());
    TestViews ten = TestViews.tenCrop(2, 4);
    ImageShape shape = new ImageShape(4, 6, 1);
    byte[] image = new byte[24];
    for (int i = 0; i < 24; i++) {
      image[i] = (byte) i;
    }
    byte[][] expected = {
      {0, 1, 6, 7}, {4, 5, 10, 11}, {12, 13, 18, 19}, {16, 17, 22, 23}, {8, 9, 14, 15}
    };
    byte[] view = new byte[4];
    for (int k = 0; k < 5; k++) {
      ten.read(k, image, shape, view);
      assertArrayEquals(expected[k], view, "view " + k);
      ten.read(k + 5, image, shape, view);
      byte[] e = expected[k];
      assertArrayEquals(new byte[] {e[1], e[0], e[3], e[2]}, view, "view " + (k + 5));
    }
    ImageShape large = new ImageShape(300, 400, 1);
    byte[] noise = SampleData.bytes(large.elements(), 1);
    byte[][] seen = new byte[50][224 * 224];
    for (int k = 0; k < 50; k++) {
      views.read(k, noise, large, seen[k]);
      for (int j = 0; j < k; j++) {
        // At the scale where the view is as high as the image, upper and lower ones are the same.
        boolean same = k < 10 && j < 10 && k % 5 != 4 && j % 5 != 4 && k - j == 2;
        assertEquals(same && k / 5 == j / 5, Arrays.equals(seen[k], seen[j]), j + " and " + k);
      }
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    PreprocessingTest.refused("size 4, low 3", () -> Augmentation.scaledCrop(3, 8, 4));
    PreprocessingTest.refused("found 0 x 4", () -> Augmentation.randomResizedCrop(0, 4));
    PreprocessingTest.refused("found 0 and 0", () -> Augmentation.cutout(0));
    PreprocessingTest.refused("(0, 1] expected, found 1.5", () -> Augmentation.contrast(1.5));
    PreprocessingTest.refused("[rotate] a limit in (0, 180.0]", () -> Augmentation.rotate(-1));
    PreprocessingTest.refused("found NaN", () -> Augmentation.distort(Double.NaN));
    PreprocessingTest.refused(
        "a colour image expected",
        () -> Augmentation.saturation(1).output(new ImageShape(2, 2, 1)));
    PreprocessingTest.refused("sides of at least the size", () -> new TestViews(4, 5, 3));
    PreprocessingTest.refused("sides of at least the size", () -> new TestViews(4));
  }

  /// Threads do not matter, for any of them.
  @Test
  void allOfThem_dependOnSeedEpochAndItemOnly() {
    Dataset dataset = SampleData.dataset(24, new ImageShape(12, 12, 3));
    Augmentation.Pipeline pipeline =
        Augmentation.Pipeline.of(
            Augmentation.scaledCrop(14, 20, 10),
            Augmentation.flipVertical(),
            Augmentation.brightness(0.3),
            Augmentation.contrast(0.3),
            Augmentation.saturation(0.3),
            ColorOffset.fit(dataset, 0.5),
            Augmentation.rotate(20),
            Augmentation.shear(10),
            Augmentation.translate(0.1),
            Augmentation.stretch(0.1),
            Augmentation.distort(0.1),
            Augmentation.cutout(3),
            Augmentation.randomResizedCrop(8, 8));
    for (Mixing mixing : new Mixing[] {Mixing.mixup(0.5), Mixing.cutMix(1)}) {
      float[][] first = epoch(dataset, pipeline, mixing, 1);
      float[][] second = epoch(dataset, pipeline, mixing, 3);
      for (int i = 0; i < first.length; i++) {
        assertArrayEquals(first[i], second[i]);
      }
    }
  }

  private static float[][] epoch(
      Dataset dataset, Augmentation.Pipeline pipeline, Mixing mixing, int threads) {
    float[][] seen = new float[8][];
    try (Loader loader =
        new Loader(
            dataset.batch(6).shuffled(), Standardizer.scale(3), pipeline, mixing, 5, threads)) {
      loader.start(2);
      for (int i = 0; i < 8; i += 2) {
        Batch batch = java.util.Objects.requireNonNull(loader.next());
        seen[i] = batch.images().clone();
        seen[i + 1] = java.util.Objects.requireNonNull(batch.targets()).clone();
        loader.release(batch);
      }
    }
    return seen;
  }
}
