package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxTest {
  private static final byte[] PIXELS = SampleData.bytes(3 * 4 * 5, 7);

  @TempDir Path folder;

  @Test
  void plainAndPackedFilesAreTheSame() throws IOException {
    byte[] images = SampleData.idxImages(3, 4, 5, PIXELS);
    // Names that lie: only the content tells.
    Path plain = SampleData.write(folder.resolve("plain.gz"), images);
    Path packed = SampleData.write(folder.resolve("packed"), SampleData.gzip(images));
    Path labels = SampleData.write(folder.resolve("labels"), SampleData.idxLabels(2, 0, 1));
    for (Path file : List.of(plain, packed)) {
      Dataset dataset = Idx.read(file, labels);
      assertEquals(3, dataset.size());
      assertEquals(new ImageShape(4, 5, 1), dataset.image());
      assertEquals(List.of("0", "1", "2"), dataset.classNames());
      for (int i = 0; i < 3; i++) {
        assertEquals((i + 2) % 3, dataset.label(i));
        assertArrayEquals(
            Arrays.copyOfRange(PIXELS, 20 * i, 20 * i + 20), SampleData.image(dataset, i));
      }
    }
  }

  @Test
  void foldersHoldTheFourFiles() throws IOException {
    writeFolder();
    Split split = Idx.read(folder);
    assertEquals(3, split.train().size());
    assertEquals(2, split.test().size());
    assertEquals(split.train().classNames(), split.test().classNames());
  }

  @Test
  void missingFilesAreNamed() {
    assertFails("train-images-idx3-ubyte or train-images-idx3-ubyte.gz", () -> Idx.read(folder));
  }

  @Test
  void badImages() throws IOException {
    byte[] good = SampleData.idxImages(3, 4, 5, PIXELS);
    assertBad("empty file");
    assertBad("found 0x0000", (byte) 0, (byte) 0);
    assertBad("(magic number 0x00000803) expected, found 0x00000801", SampleData.idxLabels(1, 2));
    assertBad("found 0x504b0304", (byte) 'P', (byte) 'K', (byte) 3, (byte) 4, (byte) 9);
    assertBad("truncated: a header of 16 bytes expected, found 10", Arrays.copyOf(good, 10));
    assertBad(
        "truncated: 3 images of 4 x 5 bytes expected, found 53",
        Arrays.copyOf(good, good.length - 7));
    assertBad("found 2 more bytes", Arrays.copyOf(good, good.length + 2));
    assertBad("the header says 0", SampleData.idxImages(0, 4, 5, new byte[0]));
    assertBad("the header says -1", SampleData.idxImages(-1, 4, 5, new byte[0]));
    assertBad("found 0 x 5", SampleData.idxImages(3, 0, 5, new byte[0]));
    // A header that lies does not take the memory it asks for.
    assertBad("truncated", SampleData.idxImages(Integer.MAX_VALUE, 16, 16, PIXELS));
    assertBad("truncated", SampleData.idxImages(Integer.MAX_VALUE, 1 << 12, 1 << 12, PIXELS));
    assertBad("truncated", SampleData.idxImages(1, 1 << 14, 1 << 14, PIXELS));
    assertBad("sensible size", SampleData.idxImages(1, 1 << 30, 1 << 30, PIXELS));
  }

  @Test
  void badGzip() throws IOException {
    byte[] packed = SampleData.gzip(SampleData.idxImages(3, 4, 5, PIXELS));
    assertBad("truncated", Arrays.copyOf(packed, packed.length - 12));
    byte[] damaged = packed.clone();
    damaged[packed.length - 6] ^= 1; // the checksum
    assertBad("cannot be read", damaged);
  }

  @Test
  void badLabels() throws IOException {
    Path images = folder.resolve("images");
    SampleData.write(images, SampleData.idxImages(3, 4, 5, PIXELS));
    Path labels = folder.resolve("labels");
    SampleData.write(labels, SampleData.idxLabels(0, 1));
    assertFails("3 labels expected", () -> Idx.read(images, labels));
    assertFails("found 2", () -> Idx.read(images, labels));
    SampleData.write(labels, SampleData.idxImages(3, 4, 5, PIXELS));
    assertFails("IDX labels", () -> Idx.read(images, labels));
    SampleData.write(labels, Arrays.copyOf(SampleData.idxLabels(0, 1, 2), 9));
    assertFails("truncated: 3 labels expected, found 1 bytes", () -> Idx.read(images, labels));
    SampleData.write(labels, new byte[0]);
    assertFails("empty file", () -> Idx.read(images, labels));
    assertFails("cannot be read", () -> Idx.read(images, folder.resolve("nothing")));
  }

  @Test
  void testLabelsMustBeTrainingClasses() throws IOException {
    writeFolder();
    SampleData.write(folder.resolve("t10k-labels-idx1-ubyte"), SampleData.idxLabels(1, 7));
    DataFormatException e =
        assertFails("label of image 1 must be in 0..2, found 7", () -> Idx.read(folder));
    assertEquals("t10k-labels-idx1-ubyte", e.file().getFileName().toString());
  }

  @Test
  void testImagesMustHaveTheShapeOfTrainingImages() throws IOException {
    writeFolder();
    SampleData.write(
        folder.resolve("t10k-images-idx3-ubyte.gz"),
        SampleData.gzip(SampleData.idxImages(2, 5, 5, new byte[50])));
    assertFails("images of 4 x 5 x 1 expected", () -> Idx.read(folder));
  }

  @Test
  void mnist() throws Exception {
    Split mnist = Idx.read(TestData.folder("mnist"));
    assertEquals(60_000, mnist.train().size());
    assertEquals(10_000, mnist.test().size());
    assertEquals(new ImageShape(28, 28, 1), mnist.train().image());
    assertArrayEquals(
        new int[] {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        counts(mnist.train()));
    assertArrayEquals(
        new int[] {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, counts(mnist.test()));
    Standardizer found = Standardizer.fit(mnist.train());
    assertEquals(0.1307, found.mean()[0], 5e-5);
    assertEquals(0.3081, found.deviation()[0], 5e-5);
    assertEquals("6bbc9ace898e44ae57da46a324031adb", md5(mnist.train()));
    assertEquals("2646ac647ad5339dbf082846283269ea", md5(mnist.test()));
  }

  /// The checksum of the unpacked file of images.
  private static String md5(Dataset dataset) throws Exception {
    MessageDigest md5 = MessageDigest.getInstance("MD5");
    md5.update(SampleData.idxImages(dataset.size(), 28, 28, new byte[0]));
    for (int i = 0; i < dataset.size(); i++) {
      md5.update(SampleData.image(dataset, i));
    }
    return HexFormat.of().formatHex(md5.digest());
  }

  private static int[] counts(Dataset dataset) {
    int[] counts = new int[dataset.classes()];
    for (int i = 0; i < dataset.size(); i++) {
      counts[dataset.label(i)]++;
    }
    return counts;
  }

  private void writeFolder() throws IOException {
    SampleData.write(
        folder.resolve("train-images-idx3-ubyte"), SampleData.idxImages(3, 4, 5, PIXELS));
    SampleData.write(
        folder.resolve("train-labels-idx1-ubyte.gz"),
        SampleData.gzip(SampleData.idxLabels(2, 0, 1)));
    SampleData.write(
        folder.resolve("t10k-images-idx3-ubyte.gz"),
        SampleData.gzip(SampleData.idxImages(2, 4, 5, SampleData.bytes(40, 8))));
    SampleData.write(folder.resolve("t10k-labels-idx1-ubyte"), SampleData.idxLabels(1, 1));
  }

  private void assertBad(String part, byte... content) throws IOException {
    Path images = SampleData.write(folder.resolve("images"), content);
    Path labels = SampleData.write(folder.resolve("labels"), SampleData.idxLabels(0, 1, 2));
    DataFormatException e = assertFails(part, () -> Idx.read(images, labels));
    assertEquals(images, e.file());
    Messages.assertSays(e, images.toString());
  }

  private static DataFormatException assertFails(String part, Runnable action) {
    DataFormatException e = assertThrows(DataFormatException.class, action::run);
    Messages.assertSays(e, part);
    return e;
  }
}
