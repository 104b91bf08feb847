package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AugmentationTest {
  private static final ImageShape SMALL = new ImageShape(3, 4, 2);

  @Test
  void padPutsBlackAround() {
    byte[] source = new byte[SMALL.elements()];
    Arrays.fill(source, (byte) 9);
    Augmentation pad = Augmentation.pad(2);
    ImageShape padded = pad.output(SMALL);
    assertEquals(new ImageShape(7, 8, 2), padded);
    byte[] target = new byte[padded.elements()];
    Arrays.fill(target, (byte) 1);
    pad.apply(source, SMALL, target, new RandomStream(0, 0));
    for (int y = 0; y < 7; y++) {
      for (int x = 0; x < 8; x++) {
        boolean inside = y >= 2 && y < 5 && x >= 2 && x < 6;
        for (int c = 0; c < 2; c++) {
          assertEquals(inside ? 9 : 0, target[(y * 8 + x) * 2 + c], "at " + y + ", " + x);
        }
      }
    }
  }

  @Test
  void padThenMiddleIsTheImage() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] padded = new byte[7 * 8 * 2];
    Augmentation.pad(2).apply(source, SMALL, padded, new RandomStream(0, 0));
    byte[] middle = new byte[source.length];
    for (int y = 0; y < 3; y++) {
      System.arraycopy(padded, ((y + 2) * 8 + 2) * 2, middle, y * 8, 8);
    }
    assertArrayEquals(source, middle);
  }

  @Test
  void cropsAreWindowsAndEveryWindowComes() {
    ImageShape shape = new ImageShape(6, 5, 3);
    byte[] source = new byte[shape.elements()];
    for (int i = 0; i < source.length; i++) {
      source[i] = (byte) i;
    }
    Augmentation crop = Augmentation.randomCrop(4, 2);
    RandomStream random = new RandomStream(0, 0);
    byte[] target = new byte[4 * 2 * 3];
    Set<Integer> corners = new HashSet<>();
    for (int i = 0; i < 500; i++) {
      crop.apply(source, shape, target, random);
      int corner = target[0];
      corners.add(corner);
      for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 6; x++) {
          assertEquals(corner + y * 15 + x, target[y * 6 + x]);
        }
      }
    }
    Set<Integer> expected = new HashSet<>();
    for (int top = 0; top <= 2; top++) {
      for (int left = 0; left <= 3; left++) {
        expected.add((top * 5 + left) * 3);
      }
    }
    assertEquals(expected, corners);
  }

  @Test
  void cropOfTheWholeImageIsTheImage() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] target = new byte[source.length];
    Augmentation.randomCrop(3, 4).apply(source, SMALL, target, new RandomStream(0, 0));
    assertArrayEquals(source, target);
  }

  @Test
  void flippingTwiceChangesNothing() {
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    byte[] once = new byte[source.length];
    byte[] twice = new byte[source.length];
    Augmentation.FlipHorizontal.mirror(source, SMALL, once);
    assertFalse(Arrays.equals(source, once));
    assertEquals(source[0], once[6]); // channel 0 of the first and the last pixel of a row
    assertEquals(source[1], once[7]);
    Augmentation.FlipHorizontal.mirror(once, SMALL, twice);
    assertArrayEquals(source, twice);
  }

  @Test
  void halfOfTheImagesAreFlipped() {
    ImageShape shape = new ImageShape(1, 2, 1);
    byte[] source = {1, 2};
    byte[] target = new byte[2];
    RandomStream random = new RandomStream(0, 0);
    int flipped = 0;
    for (int i = 0; i < 10_000; i++) {
      Augmentation.flipHorizontal().apply(source, shape, target, random);
      flipped += target[0] == 2 ? 1 : 0;
    }
    assertEquals(5000, flipped, 200); // 4 standard deviations
  }

  @Test
  void geometryIsCheckedWhenBound() {
    Augmentation.Pipeline pipeline =
        Augmentation.Pipeline.of(Augmentation.pad(1), Augmentation.randomCrop(32, 32));
    assertEquals(new ImageShape(32, 32, 3), pipeline.output(new ImageShape(30, 31, 3)));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> pipeline.bind(new ImageShape(28, 28, 1), 0));
    Messages.assertSays(e, "step 2 of 2");
    Messages.assertSays(e, "32 x 32 does not fit an image of 30 x 30 x 1");
    Augmentation.Pipeline huge = Augmentation.Pipeline.of(Augmentation.pad(Integer.MAX_VALUE));
    assertThrows(IllegalArgumentException.class, () -> huge.bind(SMALL, 0));
    assertThrows(IllegalArgumentException.class, () -> Augmentation.pad(0));
    assertThrows(IllegalArgumentException.class, () -> Augmentation.randomCrop(0, 4));
    assertThrows(IllegalArgumentException.class, () -> Augmentation.randomCrop(4, -1));
  }

  @Test
  void theChangeDependsOnSeedEpochAndItemOnly() {
    byte[] first = run(7, 3, 11);
    run(7, 0, 0);
    assertArrayEquals(first, run(7, 3, 11));
    List<byte[]> others = List.of(run(8, 3, 11), run(7, 4, 11), run(7, 3, 12));
    for (byte[] other : others) {
      assertNotEquals(Arrays.hashCode(first), Arrays.hashCode(other));
    }
    // Order of work does not matter within one bound pipeline either.
    Augmentation.Bound bound = pipeline().bind(new ImageShape(32, 32, 3), 7);
    for (int item : new int[] {5, 11, 2, 11}) {
      byte[] image = SampleData.bytes(32 * 32 * 3, 1);
      System.arraycopy(image, 0, bound.input(), 0, image.length);
      byte[] changed = bound.apply(3, item);
      assertEquals(item == 11, Arrays.equals(first, changed));
    }
  }

  @Test
  void anEmptyPipelineChangesNothing() {
    Augmentation.Bound bound = Augmentation.Pipeline.none().bind(SMALL, 0);
    byte[] source = SampleData.bytes(SMALL.elements(), 1);
    System.arraycopy(source, 0, bound.input(), 0, source.length);
    assertArrayEquals(source, bound.apply(0, 0));
    assertEquals(SMALL, bound.output());
  }

  private static Augmentation.Pipeline pipeline() {
    return Augmentation.Pipeline.of(
        Augmentation.pad(4), Augmentation.randomCrop(32, 32), Augmentation.flipHorizontal());
  }

  private static byte[] run(long seed, int epoch, int item) {
    Augmentation.Bound bound = pipeline().bind(new ImageShape(32, 32, 3), seed);
    byte[] source = SampleData.bytes(32 * 32 * 3, 1);
    System.arraycopy(source, 0, bound.input(), 0, source.length);
    return bound.apply(epoch, item).clone();
  }
}
