package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Pictures in one folder per class, decoded when they are read.
///
/// Every picture becomes red-green-blue, is turned upright by its EXIF orientation, scaled so that
/// it just covers the wanted size, and cut around its middle. Files that are not called `.jpg`,
/// `.jpeg`, `.png`, `.gif`, `.bmp`, `.tif` or `.tiff` are passed over, and so are files and folders
/// whose name begins with a dot. Symbolic links are followed. A picture that cannot be decoded is
/// reported, with its path, when it is read.
public final class ImageFolder implements Dataset {
  private static final long PURPOSE = 0x73706c6974L; // "split"
  private static final Set<String> SUFFIXES =
      Set.of("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff");
  private static final List<String> TEST_FOLDERS = List.of("test", "val", "valid", "validation");

  private final String name;
  private final ImageShape image;
  private final List<String> classNames;
  private final List<Path> files;
  private final int[] labels;

  private ImageFolder(String name, ImageShape image, List<String> classNames, List<Entry> entries) {
    this.name = name;
    this.image = image;
    this.classNames = List.copyOf(classNames);
    this.files = entries.stream().map(Entry::file).toList();
    this.labels = entries.stream().mapToInt(Entry::label).toArray();
  }

  private record Entry(Path file, int label) {}

  /// Opens `root/train/<class>/...` and `root/test/<class>/...` (or `val`, `valid`, `validation`).
  ///
  /// @param height of the images to make
  /// @param width of the images to make
  /// @throws DataFormatException when a folder is missing or has no pictures, or the test folder
  ///   has a class that the train folder lacks
  public static Split open(Path root, int height, int width) {
    ImageShape image = new ImageShape(height, width, 3);
    Path train = root.resolve("train");
    Path test = testFolder(root);
    if (!Files.isDirectory(train) || test == null) {
      throw new DataFormatException(
          root, "folders train and one of " + TEST_FOLDERS + " expected, found " + folders(root));
    }
    List<String> classNames = classNames(train);
    for (String found : classNames(test)) {
      if (!classNames.contains(found)) {
        throw new DataFormatException(
            test.resolve(found), "one of the classes of " + train + " expected: " + classNames);
      }
    }
    String name = nameOf(root);
    return new Split(
        new ImageFolder(name + "/train", image, classNames, entries(train, classNames, true)),
        new ImageFolder(name + "/test", image, classNames, entries(test, classNames, false)));
  }

  /// Opens `root/<class>/...` and divides the pictures of each class at random, `testFraction` of
  /// them (rounded, at least one) to test with. The division depends on the seed and the file names
  /// only.
  ///
  /// @param image the shape of the images to make, with 3 channels
  /// @throws IllegalArgumentException when `testFraction` is not between 0 and 1 or the images are
  ///   not to have 3 channels
  /// @throws DataFormatException when a class has fewer than two pictures
  public static Split split(Path root, ImageShape image, double testFraction, long seed) {
    if (!(testFraction > 0 && testFraction < 1)) {
      throw new IllegalArgumentException(
          "[data] the part to test with must be between 0 and 1, found " + testFraction);
    }
    if (image.channels() != 3) {
      throw new IllegalArgumentException(
          "[data] pictures are read with 3 channels, asked for " + image.channels());
    }
    List<String> classNames = classNames(root);
    List<Entry> all = entries(root, classNames, true);
    List<Entry> train = new ArrayList<>();
    List<Entry> test = new ArrayList<>();
    RandomStream random = new RandomStream(Philox.derive(seed, PURPOSE), 0);
    for (int label = 0; label < classNames.size(); label++) {
      int wanted = label;
      List<Entry> ofClass = all.stream().filter(entry -> entry.label() == wanted).toList();
      if (ofClass.size() < 2) {
        throw new DataFormatException(
            root.resolve(classNames.get(label)),
            "at least two pictures expected, one to train and one to test with, found "
                + ofClass.size());
      }
      int forTest = Math.clamp(Math.round(testFraction * ofClass.size()), 1, ofClass.size() - 1);
      int[] order = new int[ofClass.size()];
      for (int i = 0; i < order.length; i++) {
        order[i] = i;
      }
      random.restart(label);
      random.shuffle(order);
      for (int i = 0; i < order.length; i++) {
        (i < forTest ? test : train).add(ofClass.get(order[i]));
      }
    }
    String name = nameOf(root);
    return new Split(
        new ImageFolder(name + "/train", image, classNames, train),
        new ImageFolder(name + "/test", image, classNames, test));
  }

  /// The folder to test with, or null.
  static @Nullable Path testFolder(Path root) {
    for (String candidate : TEST_FOLDERS) {
      if (Files.isDirectory(root.resolve(candidate))) {
        return root.resolve(candidate);
      }
    }
    return null;
  }

  /// The visible folders in `root`, sorted by name.
  static List<String> folders(Path root) {
    try (Stream<Path> children = Files.list(root)) {
      return children
          .filter(Files::isDirectory)
          .map(ImageFolder::nameOf)
          .filter(name -> !name.startsWith("."))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new DataFormatException(root, "a folder expected, found: " + e, e);
    }
  }

  private static List<String> classNames(Path folder) {
    List<String> names = folders(folder);
    if (names.isEmpty()) {
      throw new DataFormatException(folder, "one folder per class expected, found none");
    }
    return names;
  }

  private static List<Entry> entries(Path folder, List<String> classNames, boolean everyClass) {
    List<Entry> entries = new ArrayList<>();
    for (int label = 0; label < classNames.size(); label++) {
      Path ofClass = folder.resolve(classNames.get(label));
      List<Path> files = Files.isDirectory(ofClass) ? pictures(ofClass) : List.of();
      if (files.isEmpty() && (everyClass || Files.isDirectory(ofClass))) {
        throw new DataFormatException(ofClass, "pictures expected (" + SUFFIXES + "), found none");
      }
      for (Path file : files) {
        entries.add(new Entry(file, label));
      }
    }
    return entries;
  }

  private static List<Path> pictures(Path folder) {
    try (Stream<Path> files = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
      return files
          .filter(ImageFolder::isPicture)
          .filter(file -> isVisible(folder.relativize(file)))
          .sorted()
          .toList();
    } catch (UncheckedIOException e) {
      if (e.getCause() instanceof FileSystemLoopException loop) {
        throw new DataFormatException(
            folder,
            "folders that end expected, found a link to one around it: " + loop.getFile(),
            e);
      }
      throw new DataFormatException(folder, "cannot be read: " + e.getCause(), e);
    } catch (IOException e) {
      throw new DataFormatException(folder, "cannot be read: " + e, e);
    }
  }

  private static boolean isPicture(Path file) {
    String name = nameOf(file);
    int dot = name.lastIndexOf('.');
    return dot > 0
        && SUFFIXES.contains(name.substring(dot + 1).toLowerCase(Locale.ROOT))
        && Files.isRegularFile(file);
  }

  private static boolean isVisible(Path inFolder) {
    for (Path part : inFolder) {
      if (part.toString().startsWith(".")) {
        return false;
      }
    }
    return true;
  }

  static String nameOf(Path path) {
    Path last = path.toAbsolutePath().normalize().getFileName();
    return last == null ? path.toString() : last.toString();
  }

  /// A picture of your own as the sets of this class would have it: turned upright, scaled, cut,
  /// decoded; for predictions on new files.
  ///
  /// @param image what to make of it, with 3 channels: that of the set which was trained on
  /// @return `[height, width, 3]`, unsigned bytes; [Preprocessing#apply(byte[], float[], int)]
  ///   makes inputs of them
  /// @throws IllegalArgumentException when `image` has other channels
  /// @throws DataFormatException when the file cannot be read or decoded
  public static byte[] picture(Path file, ImageShape image) {
    if (image.channels() != 3) {
      throw new IllegalArgumentException(
          "[picture] an image shape with 3 channels expected, found " + image);
    }
    byte[] pixels = new byte[image.elements()];
    Picture.read(file).fit(image.height(), image.width(), pixels, 0);
    return pixels;
  }

  /// The file of image `index`.
  public Path file(int index) {
    return files.get(index);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int size() {
    return labels.length;
  }

  @Override
  public ImageShape image() {
    return image;
  }

  @Override
  public List<String> classNames() {
    return classNames;
  }

  @Override
  public int label(int index) {
    return labels[index];
  }

  @Override
  public void read(int index, byte[] target, int offset) {
    Picture.read(files.get(index)).fit(image.height(), image.width(), target, offset);
  }
}
