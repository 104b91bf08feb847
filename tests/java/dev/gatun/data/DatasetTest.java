package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class DatasetTest {
  private static final ImageShape SHAPE = new ImageShape(2, 3, 1);

  @Test
  void memoryGivesBackWhatWasPutIn() {
    byte[] pixels = SampleData.bytes(5 * 6, 4);
    int[] labels = {4, 0, 2, 2, 1};
    MemoryDataset dataset = MemoryDataset.of("five", SHAPE, pixels.clone(), labels.clone());
    assertEquals(5, dataset.size());
    assertEquals(5, dataset.classes());
    assertEquals(2, dataset.height());
    assertEquals(3, dataset.width());
    assertEquals(1, dataset.channels());
    byte[] target = new byte[10];
    for (int i = 0; i < 5; i++) {
      dataset.read(i, target, 3);
      assertArrayEquals(
          Arrays.copyOfRange(pixels, 6 * i, 6 * i + 6), Arrays.copyOfRange(target, 3, 9));
      assertEquals(labels[i], dataset.label(i));
    }
    MemoryDataset copy = MemoryDataset.copyOf(dataset.take(2));
    assertArrayEquals(SampleData.image(dataset, 1), SampleData.image(copy, 1));
    assertEquals(dataset.classNames(), copy.classNames());
  }

  @Test
  void manyChunksAreOneSet() {
    // Images of 5 MiB: three to an array of the store.
    ImageShape large = new ImageShape(5 << 10, 1 << 10, 1);
    ImageStore store = new ImageStore(large, 7);
    for (int i = 0; i < 7; i++) {
      Arrays.fill(
          store.writable(i), store.offset(i), store.offset(i) + large.elements(), (byte) (i + 1));
    }
    MemoryDataset dataset = new MemoryDataset("large", store, new int[7], List.of("only"));
    byte[] target = new byte[large.elements()];
    for (int i = 0; i < 7; i++) {
      dataset.read(i, target, 0);
      for (byte value : target) {
        assertEquals(i + 1, value);
      }
    }
  }

  /// Each image is in one of the parts; another seed cuts elsewhere.
  @Test
  void aSet_isCutInTwo() {
    MemoryDataset dataset = SampleData.dataset(40, SHAPE);
    Split split = dataset.split(0.25, 7);
    assertEquals(30, split.train().size());
    assertEquals(10, split.test().size());
    assertEquals(dataset.classNames(), split.test().classNames());
    assertEquals(
        images(dataset),
        Stream.concat(images(split.train()).stream(), images(split.test()).stream())
            .sorted()
            .toList());
    assertEquals(images(split.test()), images(dataset.split(0.25, 7).test()));
    assertNotEquals(images(split.test()), images(dataset.split(0.25, 8).test()));
    assertNotEquals(
        images(split.test()),
        images(dataset.subset(new int[] {30, 31, 32, 33, 34, 35, 36, 37, 38, 39})));
    for (double share : new double[] {0, 1, -0.1, 2, Double.NaN, 0.01}) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> dataset.split(share, 7));
      assertEquals(
          "[data] expected a share that leaves some of 40 images in both parts, found " + share,
          e.getMessage());
    }
  }

  /// The images with their labels, in words, sorted.
  private static List<String> images(Dataset dataset) {
    return IntStream.range(0, dataset.size())
        .mapToObj(i -> dataset.label(i) + " " + Arrays.toString(SampleData.image(dataset, i)))
        .sorted()
        .toList();
  }

  @Test
  void subsetsPickInOrder() {
    MemoryDataset dataset = SampleData.dataset(10, SHAPE);
    Dataset picked = dataset.subset(new int[] {7, 1, 7});
    assertEquals(3, picked.size());
    assertEquals(dataset.label(7), picked.label(0));
    assertArrayEquals(SampleData.image(dataset, 1), SampleData.image(picked, 1));
    assertArrayEquals(SampleData.image(dataset, 7), SampleData.image(picked, 2));
    assertEquals(4, dataset.take(4).size());
    assertThrows(IllegalArgumentException.class, () -> dataset.take(11));
    assertThrows(IllegalArgumentException.class, () -> dataset.take(0));
    assertThrows(IllegalArgumentException.class, () -> dataset.subset(new int[0]));
    assertThrows(IndexOutOfBoundsException.class, () -> dataset.subset(new int[] {10}));
    assertThrows(IndexOutOfBoundsException.class, () -> picked.label(3));
  }

  @Test
  void badSetsAreRefused() {
    int[] two = {0, 1};
    assertRefused("need 12 bytes, found 11", () -> MemoryDataset.of("x", SHAPE, new byte[11], two));
    assertRefused("no images", () -> MemoryDataset.of("x", SHAPE, new byte[0], new int[0]));
    assertRefused(
        "label of image 1 must be in 0..0, found -1",
        () -> MemoryDataset.of("x", SHAPE, new byte[12], new int[] {0, -1}));
    MemoryDataset good = MemoryDataset.of("x", SHAPE, new byte[12], two);
    assertRefused("found 1", () -> good.withClassNames(List.of("only")));
    assertEquals(List.of("a", "b"), good.withClassNames(List.of("a", "b")).classNames());
    assertRefused("0 x 3 x 1", () -> new ImageShape(0, 3, 1));
    assertRefused("65536 x 65536 x 3", () -> new ImageShape(1 << 16, 1 << 16, 3));
    assertThrows(IndexOutOfBoundsException.class, () -> good.read(2, new byte[6], 0));
    assertThrows(IndexOutOfBoundsException.class, () -> good.read(-1, new byte[6], 0));
    assertThrows(IndexOutOfBoundsException.class, () -> good.read(0, new byte[6], 1));
    assertThrows(IndexOutOfBoundsException.class, () -> good.label(2));
  }

  @Test
  void splitsMustAgree() {
    MemoryDataset one = SampleData.dataset(6, SHAPE);
    MemoryDataset other = SampleData.dataset(6, new ImageShape(3, 2, 1));
    assertRefused("train images are 2 x 3 x 1", () -> new Split(one, other));
    assertRefused(
        "test classes [x, y, z]", () -> new Split(one, one.withClassNames(List.of("x", "y", "z"))));
  }

  @Test
  void batchesAreCounted() {
    Dataset ten = SampleData.dataset(10, SHAPE);
    assertEquals(4, ten.batch(3).count());
    assertEquals(3, ten.batch(3).dropRemainder().count());
    assertEquals(2, ten.batch(5).count());
    assertEquals(2, ten.batch(5).dropRemainder().count());
    assertEquals(1, ten.batch(64).count());
    assertEquals(0, ten.batch(64).dropRemainder().count());
    assertEquals(Batches.Order.SHUFFLED, ten.batch(3).shuffled().order());
    assertRefused("found 0", () -> ten.batch(0));
  }

  private static void assertRefused(String part, Runnable action) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, action::run);
    Messages.assertSays(e, part);
  }
}
