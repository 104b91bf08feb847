package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Cifar10Test {
  private static final int RECORD = 3073;

  @TempDir Path folder;

  @Test
  void recordsBecomePixels() throws IOException {
    byte[] records = records(2, 3);
    Path file = SampleData.write(folder.resolve("two.bin"), records);
    Dataset dataset = Cifar10.readBinary(List.of(file, file));
    assertEquals(4, dataset.size());
    assertEquals(10, dataset.classes());
    assertEquals(new ImageShape(32, 32, 3), dataset.image());
    for (int i = 0; i < 4; i++) {
      int start = i % 2 * RECORD;
      assertEquals(records[start], dataset.label(i));
      byte[] image = SampleData.image(dataset, i);
      for (int p = 0; p < 1024; p++) {
        for (int c = 0; c < 3; c++) {
          assertEquals(records[start + 1 + c * 1024 + p], image[3 * p + c]);
        }
      }
    }
  }

  @Test
  void badRecords() throws IOException {
    Path file = folder.resolve("bad.bin");
    SampleData.write(file, Arrays.copyOf(records(2, 0), 2 * RECORD - 1));
    assertFails("records of 3073 bytes expected, found 6145", file);
    SampleData.write(file, new byte[0]);
    assertFails("found 0 bytes", file);
    byte[] label = records(3, 0);
    label[2 * RECORD] = 10;
    SampleData.write(file, label);
    assertFails("label of image 2 must be in 0..9, found 10", file);
    assertFails("cannot be read", folder.resolve("missing.bin"));
  }

  @Test
  void wholeFolderOfBinaryFiles() throws IOException {
    for (int b = 1; b <= 5; b++) {
      SampleData.write(folder.resolve("data_batch_" + b + ".bin"), records(b, b));
    }
    assertFolderFails("missing: [test_batch.bin]");
    SampleData.write(folder.resolve("test_batch.bin"), records(2, 9));
    Split split = Cifar10.read(folder);
    assertEquals(15, split.train().size());
    assertEquals(2, split.test().size());
    assertEquals("truck", split.train().classNames().get(9));

    Files.writeString(folder.resolve("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    assertEquals("j", Cifar10.read(folder).test().classNames().get(9));
    Files.writeString(folder.resolve("batches.meta.txt"), "a\nb\n");
    assertFolderFails("10 class names expected, one a line, found 2");
  }

  @Test
  void badSheets() throws IOException {
    for (int b = 1; b <= 5; b++) {
      writeSheet("data_batch_" + b + ".png");
    }
    writeSheet("test_batch.png");
    assertFolderFails("train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz expected");
    Path train = folder.resolve("train-labels-idx1-ubyte");
    SampleData.write(train, SampleData.idxLabels(1, 2, 3));
    SampleData.write(
        folder.resolve("test-labels-idx1-ubyte"), SampleData.idxLabels(new int[10_000]));
    assertFolderFails("50000 labels expected, found 3");
    int[] labels = new int[50_000];
    labels[77] = 11;
    SampleData.write(train, SampleData.idxLabels(labels));
    assertFolderFails("label of image 77 must be in 0..9, found 11");
    SampleData.write(train, SampleData.idxLabels(new int[50_000]));
    assertFolderFails("a sheet of 3200 x 3200 pixels expected, found 32 x 16");
  }

  @Test
  void sheetsAreTheOriginalFiles() throws Exception {
    Path cifar = TestData.folder("cifar10");
    Split split = Cifar10.read(cifar);
    assertEquals(50_000, split.train().size());
    assertEquals(10_000, split.test().size());
    assertEquals("airplane", split.train().classNames().getFirst());
    String[] md5 = {
      "5dd7e06a14cb22eb9f671a540d1b7c25",
      "5ea93a67294ea407fff1d09f752e9692",
      "942cd6a4bcdd0dd3c604fbe906cb4421",
      "ae636b3ba5c66a11e91e8cb52e771fcb",
      "53f37980c15c3d472c316c40844f3f0d",
    };
    for (int b = 0; b < md5.length; b++) {
      assertEquals(md5[b], md5(split.train(), 10_000 * b));
    }
    assertEquals("803d5f7f4d78ea53de84dbe85f74fb6d", md5(split.test(), 0));

    Standardizer found = Standardizer.fit(split.train());
    assertArrayEquals(new double[] {0.49140, 0.48216, 0.44653}, found.mean(), 5e-6);
    assertArrayEquals(new double[] {0.24703, 0.24349, 0.26159}, found.deviation(), 5e-6);

    Dataset binary = Cifar10.readBinary(List.of(cifar.resolve("test_batch_first100.bin")));
    assertEquals(100, binary.size());
    for (int i = 0; i < 100; i++) {
      assertEquals(binary.label(i), split.test().label(i));
      assertArrayEquals(SampleData.image(binary, i), SampleData.image(split.test(), i));
    }
  }

  /// The checksum of 10,000 images in the binary form.
  private static String md5(Dataset dataset, int first) throws Exception {
    MessageDigest md5 = MessageDigest.getInstance("MD5");
    byte[] image = new byte[3072];
    byte[] record = new byte[RECORD];
    for (int i = first; i < first + 10_000; i++) {
      dataset.read(i, image, 0);
      record[0] = (byte) dataset.label(i);
      for (int p = 0; p < 3072; p++) {
        record[1 + p % 3 * 1024 + p / 3] = image[p];
      }
      md5.update(record);
    }
    return HexFormat.of().formatHex(md5.digest());
  }

  private static byte[] records(int count, long seed) {
    byte[] records = SampleData.bytes(count * RECORD, seed);
    for (int i = 0; i < count; i++) {
      records[i * RECORD] = (byte) ((i + seed) % 10);
    }
    return records;
  }

  private void writeSheet(String name) throws IOException {
    BufferedImage image = new BufferedImage(32, 16, BufferedImage.TYPE_3BYTE_BGR);
    ImageIO.write(image, "png", folder.resolve(name).toFile());
  }

  private void assertFolderFails(String part) {
    DataFormatException e = assertThrows(DataFormatException.class, () -> Cifar10.read(folder));
    Messages.assertSays(e, part);
  }

  private static void assertFails(String part, Path file) {
    List<Path> files = List.of(file);
    DataFormatException e =
        assertThrows(DataFormatException.class, () -> Cifar10.readBinary(files));
    Messages.assertSays(e, part);
    assertEquals(file, e.file());
  }
}
