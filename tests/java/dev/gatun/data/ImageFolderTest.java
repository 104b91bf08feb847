package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {
  private static final ImageShape SMALL = new ImageShape(8, 8, 3);

  @TempDir Path root;

  @Test
  void trainAndTestFolders() throws IOException {
    writePicture("train/cat/1.png", 0xFF0000);
    writePicture("train/cat/more/2.PNG", 0xFF0000);
    writePicture("train/dog/1.png", 0x00FF00);
    writePicture("val/dog/1.png", 0x0000FF);
    Files.writeString(root.resolve("train/cat/notes.txt"), "passed over");
    Files.writeString(root.resolve("train/cat/.hidden.png"), "passed over");
    Files.createDirectories(root.resolve("train/.cache"));
    Split split = ImageFolder.open(root, 6, 10);
    assertEquals(List.of("cat", "dog"), split.train().classNames());
    assertEquals(3, split.train().size());
    assertEquals(1, split.test().size());
    assertEquals(1, split.test().label(0));
    assertEquals(new ImageShape(6, 10, 3), split.train().image());
    byte[] red = SampleData.image(split.train(), 0);
    assertArrayEquals(new byte[] {-1, 0, 0}, new byte[] {red[0], red[1], red[2]});
    byte[] blue = SampleData.image(split.test(), 0);
    assertArrayEquals(new byte[] {0, 0, -1}, new byte[] {blue[0], blue[1], blue[2]});
  }

  @Test
  void linksLeadToPictures() throws IOException {
    writePicture("elsewhere/cats/1.png", 0xFF0000);
    writePicture("elsewhere/more/2.png", 0xFF0000);
    writePicture("train/dog/1.png", 0x00FF00);
    writePicture("test/dog/1.png", 0x0000FF);
    Path cats = root.resolve("train/cat");
    Files.createSymbolicLink(cats, root.resolve("elsewhere/cats"));
    Files.createSymbolicLink(root.resolve("elsewhere/cats/more"), root.resolve("elsewhere/more"));
    assertEquals(3, ImageFolder.open(root, 8, 8).train().size());

    Files.createSymbolicLink(root.resolve("elsewhere/cats/round"), root.resolve("elsewhere"));
    assertFails("found a link to one around it: " + cats.resolve("round/cats"), cats);
  }

  /// As editors and notebooks leave them behind, with copies of pictures in them.
  @Test
  void hiddenFoldersArePassedOver() throws IOException {
    writePicture("train/dog/1.png", 0x00FF00);
    writePicture("train/dog/.ipynb_checkpoints/1.png", 0x00FF00);
    writePicture("train/dog/young/.cache/deep/1.png", 0x00FF00);
    writePicture("train/dog/young/2.png", 0x00FF00);
    writePicture("test/dog/1.png", 0x0000FF);
    assertEquals(2, ImageFolder.open(root, 8, 8).train().size());
  }

  @Test
  void badFolders() throws IOException {
    assertFails("folders train and one of [test, val", root);
    writePicture("train/cat/1.png", 0);
    assertFails("found [train]", root);
    writePicture("test/cow/1.png", 0);
    assertFails("one of the classes of", root.resolve("test/cow"));
    writePicture("train/cow/1.png", 0);
    Files.createDirectories(root.resolve("train/empty"));
    assertFails("pictures expected", root.resolve("train/empty"));
    assertThrows(IllegalArgumentException.class, () -> ImageFolder.open(root, 0, 10));
  }

  @Test
  void splitsAreBalancedSeededAndWithoutOverlap() throws IOException {
    for (int i = 0; i < 20; i++) {
      writePicture("a/" + i + ".png", 0);
      if (i < 3) {
        writePicture("b/" + i + ".png", 0);
      }
    }
    Split split = ImageFolder.split(root, SMALL, 0.25, 1);
    assertEquals(5, countOf(split.test(), 0));
    assertEquals(1, countOf(split.test(), 1));
    assertEquals(23, split.train().size() + split.test().size());
    List<Path> test = files(split.test());
    assertTrue(files(split.train()).stream().noneMatch(test::contains));
    assertEquals(test, files(ImageFolder.split(root, SMALL, 0.25, 1).test()));
    assertNotEquals(test, files(ImageFolder.split(root, SMALL, 0.25, 2).test()));

    assertThrows(IllegalArgumentException.class, () -> ImageFolder.split(root, SMALL, 1, 1));
    ImageShape grey = new ImageShape(8, 8, 1);
    assertThrows(IllegalArgumentException.class, () -> ImageFolder.split(root, grey, 0.5, 1));
    writePicture("c/only.png", 0);
    DataFormatException e =
        assertThrows(DataFormatException.class, () -> ImageFolder.split(root, SMALL, 0.25, 1));
    Messages.assertSays(e, "at least two pictures");
    assertEquals(root.resolve("c"), e.file());
  }

  /// A new file comes to a network as those of the set did.
  @Test
  void aPictureOfItsOwn_isThatOfTheSet() throws IOException {
    writePicture("train/a/1.png", 0x123456);
    writePicture("test/a/1.png", 0);
    Dataset train = ImageFolder.open(root, 8, 8).train();
    byte[] expected = new byte[train.image().elements()];
    train.read(0, expected, 0);
    byte[] found = ImageFolder.picture(root.resolve("train/a/1.png"), train.image());
    assertArrayEquals(expected, found);
    assertArrayEquals(new byte[] {0x12, 0x34, 0x56}, Arrays.copyOf(found, 3));
    IllegalArgumentException grey =
        assertThrows(
            IllegalArgumentException.class,
            () -> ImageFolder.picture(root.resolve("x.png"), new ImageShape(8, 8, 1)));
    Messages.assertSays(grey, "with 3 channels expected");
    DataFormatException missing =
        assertThrows(
            DataFormatException.class,
            () -> ImageFolder.picture(root.resolve("x.png"), train.image()));
    Messages.assertSays(missing, "x.png");
  }

  @Test
  void brokenPicturesAreNamedByTheLoader() throws IOException {
    writePicture("train/a/1.png", 0);
    writePicture("test/a/1.png", 0);
    Path broken = SampleData.write(root.resolve("train/a/2.jpg"), new byte[] {1, 2, 3});
    Split split = ImageFolder.open(root, 8, 8);
    try (Loader loader =
        new Loader(
            split.train().batch(2), Standardizer.scale(3), Augmentation.Pipeline.none(), 0, 1)) {
      loader.start(0);
      DataFormatException e = assertThrows(DataFormatException.class, loader::next);
      assertEquals(broken, e.file());
      Messages.assertSays(e, broken.toString());
    }
  }

  @Test
  void opensWhateverIsInAFolder() throws IOException {
    DataFormatException nothing =
        assertThrows(DataFormatException.class, () -> Datasets.open(root));
    for (String lookedFor : List.of("train-images-idx3-ubyte", "data_batch_1", "<class>/*.jpg")) {
      Messages.assertSays(nothing, lookedFor);
    }
    assertOpenFails("found nothing", root.resolve("missing"));
    assertOpenFails("found a file", SampleData.write(root.resolve("file"), new byte[1]));

    for (int i = 0; i < 2; i++) {
      writePicture("pictures/a/" + i + ".png", 0);
      writePicture("pictures/b/" + i + ".png", 0);
    }
    Split divided = Datasets.open(root.resolve("pictures"), 16);
    assertEquals(new ImageShape(16, 16, 3), divided.train().image());
    assertEquals(2, divided.test().size());

    writePicture("ready/train/a/1.png", 0);
    assertOpenFails("found [train]", root.resolve("ready"));
    writePicture("ready/test/a/1.png", 0);
    assertEquals(32, Datasets.open(root.resolve("ready")).train().width());

    Path idx = root.resolve("idx");
    SampleData.write(
        idx.resolve("train-images-idx3-ubyte"), SampleData.idxImages(1, 2, 2, new byte[4]));
    assertOpenFails("train-labels-idx1-ubyte", idx);
    SampleData.write(idx.resolve("train-labels-idx1-ubyte"), SampleData.idxLabels(0));
    SampleData.write(
        idx.resolve("t10k-images-idx3-ubyte"), SampleData.idxImages(1, 2, 2, new byte[4]));
    SampleData.write(idx.resolve("t10k-labels-idx1-ubyte"), SampleData.idxLabels(0));
    assertEquals(new ImageShape(2, 2, 1), Datasets.open(idx).train().image());

    Path cifar = root.resolve("cifar");
    SampleData.write(cifar.resolve("data_batch_1.bin"), new byte[3073]);
    assertOpenFails("data_batch_2.bin", cifar);
    for (String name :
        List.of("data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")) {
      SampleData.write(cifar.resolve(name + ".bin"), new byte[3073]);
    }
    assertEquals(5, Datasets.open(cifar).train().size());
  }

  @Test
  void realPhotosOfManyFormsMakeBatches() throws IOException {
    copyPhotos(TestData.folder("photos"), "usual");
    copyPhotos(TestData.folder("photos-odd"), "odd");
    for (String unreadable : List.of("chelsea_cmyk.jpg", "truncated.jpg")) {
      Files.delete(root.resolve("odd").resolve(unreadable));
    }
    Split split = ImageFolder.split(root, SMALL, 0.2, 3);
    // PGM and PPM are passed over.
    assertEquals(21 + 25, split.train().size() + split.test().size());
    Dataset decoded = MemoryDataset.copyOf(split.train());
    try (Loader loader =
        new Loader(
            split.train().batch(split.train().size()),
            Standardizer.fit(decoded),
            Augmentation.Pipeline.none(),
            0,
            2)) {
      loader.start(0);
      Batch batch = loader.next();
      assertNotNull(batch);
      double sum = 0;
      double squares = 0;
      for (float value : batch.images()) {
        sum += value;
        squares += value * value;
      }
      assertEquals(0, sum / batch.images().length, 1e-5);
      assertEquals(1, squares / batch.images().length, 1e-5);
    }
  }

  private void copyPhotos(Path from, String className) throws IOException {
    Files.createDirectories(root.resolve(className));
    try (Stream<Path> photos = Files.list(from)) {
      for (Path photo : photos.toList()) {
        Files.copy(photo, root.resolve(className).resolve(photo.getFileName()));
      }
    }
  }

  private static void assertOpenFails(String part, Path folder) {
    DataFormatException e = assertThrows(DataFormatException.class, () -> Datasets.open(folder));
    Messages.assertSays(e, part);
  }

  private void assertFails(String part, Path file) {
    DataFormatException e =
        assertThrows(DataFormatException.class, () -> ImageFolder.open(root, 8, 8));
    Messages.assertSays(e, part);
    assertEquals(file, e.file());
  }

  private static long countOf(Dataset dataset, int label) {
    return IntStream.range(0, dataset.size()).filter(i -> dataset.label(i) == label).count();
  }

  private static List<Path> files(Dataset dataset) {
    ImageFolder folder = (ImageFolder) dataset;
    return IntStream.range(0, folder.size()).mapToObj(folder::file).toList();
  }

  private void writePicture(String name, int color) throws IOException {
    BufferedImage image = new BufferedImage(12, 9, BufferedImage.TYPE_INT_RGB);
    for (int p = 0; p < 12 * 9; p++) {
      image.setRGB(p % 12, p / 12, color);
    }
    Path file = root.resolve(name);
    Files.createDirectories(file.getParent());
    assertTrue(ImageIO.write(image, "png", file.toFile()));
  }
}
