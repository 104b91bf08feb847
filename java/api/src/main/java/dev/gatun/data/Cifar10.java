package dev.gatun.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// CIFAR-10, 60,000 colour photos of 32 x 32 in 10 classes, in two forms.
///
/// - Binary, the original one: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`,
///   records of 3073 bytes: the label, then 1024 red values row by row, 1024 green, 1024 blue.
/// - Sheets: `data_batch_1.png` to `data_batch_5.png` and `test_batch.png`, each 10,000 images as
///   100 x 100 tiles in one picture of 3200 x 3200, tile `i` in row `i / 100`, column `i % 100`;
///   labels in `train-labels-idx1-ubyte[.gz]` and `test-labels-idx1-ubyte[.gz]` (see [Idx]).
///
/// The names of the classes come from `batches.meta.txt`, one a line, where that exists.
public final class Cifar10 {
  private static final ImageShape IMAGE = new ImageShape(32, 32, 3);
  private static final int PLANE = 32 * 32;
  private static final int RECORD = 1 + 3 * PLANE;
  private static final int TILES = 100;
  private static final int SHEET = TILES * 32;
  private static final int IMAGES_PER_SHEET = TILES * TILES;
  private static final int DECODERS = 2;
  private static final List<String> CLASSES =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");
  private static final List<String> TRAIN =
      List.of("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5");
  private static final String TEST = "test_batch";

  private Cifar10() {}

  /// Reads the whole set from a folder that has either form; the binary one where both are
  /// complete.
  ///
  /// @throws DataFormatException when files are missing or not as described above
  public static Split read(Path folder) {
    if (complete(folder, ".bin")) {
      List<Path> train = TRAIN.stream().map(name -> folder.resolve(name + ".bin")).toList();
      List<String> names = classNames(folder);
      return new Split(
          binary("cifar10/train", train, names),
          binary("cifar10/test", List.of(folder.resolve(TEST + ".bin")), names));
    }
    if (complete(folder, ".png")) {
      return sheets(folder);
    }
    throw new DataFormatException(
        folder,
        "data_batch_1 to data_batch_5 and test_batch expected, all .bin or all .png; missing: "
            + missing(folder, ".bin")
            + " and "
            + missing(folder, ".png"));
  }

  /// Reads files of the binary form, one after the other, as one set.
  ///
  /// @throws DataFormatException when a file is missing, is not a whole number of records or has a
  ///   label above 9
  public static Dataset readBinary(List<Path> files) {
    return binary("cifar10", files, CLASSES);
  }

  private static Dataset binary(String name, List<Path> files, List<String> classNames) {
    long records = 0;
    for (Path file : files) {
      records += records(file);
    }
    if (records == 0 || records > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "[data] " + name + ": 1 to " + Integer.MAX_VALUE + " images expected, found " + records);
    }
    ImageStore store = new ImageStore(IMAGE, (int) records);
    int[] labels = new int[(int) records];
    byte[] one = new byte[RECORD];
    int next = 0;
    for (Path file : files) {
      int count = (int) records(file);
      try (InputStream in = Files.newInputStream(file)) {
        for (int i = 0; i < count; i++, next++) {
          if (in.readNBytes(one, 0, RECORD) < RECORD) {
            throw new DataFormatException(file, "became shorter while it was read");
          }
          labels[next] = one[0] & 0xFF;
          if (labels[next] >= classNames.size()) {
            throw new DataFormatException(
                file,
                "label of image "
                    + i
                    + " must be in 0.."
                    + (classNames.size() - 1)
                    + ", found "
                    + labels[next]);
          }
          interleave(one, store.writable(next), store.offset(next));
        }
      } catch (IOException e) {
        throw new DataFormatException(file, "cannot be read: " + e, e);
      }
    }
    return new MemoryDataset(name, store, labels, classNames);
  }

  private static long records(Path file) {
    long bytes;
    try {
      bytes = Files.size(file);
    } catch (IOException e) {
      throw new DataFormatException(file, "cannot be read: " + e, e);
    }
    if (bytes == 0 || bytes % RECORD != 0) {
      throw new DataFormatException(
          file,
          "a whole number of records of "
              + RECORD
              + " bytes expected, found "
              + bytes
              + " bytes, "
              + bytes / RECORD
              + " records and "
              + bytes % RECORD
              + " bytes");
    }
    return bytes / RECORD;
  }

  /// Colour planes after a label to pixels.
  private static void interleave(byte[] record, byte[] target, int offset) {
    for (int p = 0; p < PLANE; p++) {
      target[offset + 3 * p] = record[1 + p];
      target[offset + 3 * p + 1] = record[1 + PLANE + p];
      target[offset + 3 * p + 2] = record[1 + 2 * PLANE + p];
    }
  }

  private static Split sheets(Path folder) {
    List<String> names = classNames(folder);
    int[] trainLabels =
        labels(folder, "train-labels-idx1-ubyte", TRAIN.size() * IMAGES_PER_SHEET, names.size());
    int[] testLabels = labels(folder, "test-labels-idx1-ubyte", IMAGES_PER_SHEET, names.size());
    ImageStore train = new ImageStore(IMAGE, trainLabels.length);
    ImageStore test = new ImageStore(IMAGE, testLabels.length);
    try (ExecutorService decoders =
        Executors.newFixedThreadPool(DECODERS, Thread.ofPlatform().daemon().factory())) {
      List<Future<?>> sheets = new ArrayList<>();
      for (int b = 0; b < TRAIN.size(); b++) {
        Path file = folder.resolve(TRAIN.get(b) + ".png");
        int first = b * IMAGES_PER_SHEET;
        sheets.add(decoders.submit(() -> sheet(file, train, first)));
      }
      sheets.add(decoders.submit(() -> sheet(folder.resolve(TEST + ".png"), test, 0)));
      try {
        for (Future<?> sheet : sheets) {
          sheet.get();
        }
      } catch (ExecutionException e) {
        decoders.shutdownNow();
        if (e.getCause() instanceof DataFormatException cause) {
          throw cause;
        }
        throw new IllegalStateException("[data] cannot read the sheets in " + folder, e.getCause());
      } catch (InterruptedException e) {
        decoders.shutdownNow();
        Thread.currentThread().interrupt();
        throw new IllegalStateException("[data] interrupted while reading " + folder, e);
      }
    }
    return new Split(
        new MemoryDataset("cifar10/train", train, trainLabels, names),
        new MemoryDataset("cifar10/test", test, testLabels, names));
  }

  private static void sheet(Path file, ImageStore store, int first) {
    Picture sheet = Picture.read(file);
    if (sheet.width() != SHEET || sheet.height() != SHEET) {
      throw new DataFormatException(
          file,
          "a sheet of "
              + SHEET
              + " x "
              + SHEET
              + " pixels expected, found "
              + sheet.width()
              + " x "
              + sheet.height());
    }
    int row = 3 * IMAGE.width();
    for (int i = 0; i < IMAGES_PER_SHEET; i++) {
      byte[] target = store.writable(first + i);
      int offset = store.offset(first + i);
      int corner = (i / TILES * IMAGE.height() * SHEET + i % TILES * IMAGE.width()) * 3;
      for (int y = 0; y < IMAGE.height(); y++) {
        System.arraycopy(sheet.rgb(), corner + y * SHEET * 3, target, offset + y * row, row);
      }
    }
  }

  private static int[] labels(Path folder, String name, int expected, int classes) {
    Path file = Idx.require(folder, name);
    int[] labels = Idx.labels(file);
    if (labels.length != expected) {
      throw new DataFormatException(file, expected + " labels expected, found " + labels.length);
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= classes) {
        throw new DataFormatException(
            file,
            "label of image " + i + " must be in 0.." + (classes - 1) + ", found " + labels[i]);
      }
    }
    return labels;
  }

  private static List<String> classNames(Path folder) {
    Path file = folder.resolve("batches.meta.txt");
    if (!Files.exists(file)) {
      return CLASSES;
    }
    try {
      List<String> names =
          Files.readString(file, StandardCharsets.UTF_8)
              .lines()
              .map(String::strip)
              .filter(line -> !line.isEmpty())
              .toList();
      if (names.size() != CLASSES.size()) {
        throw new DataFormatException(
            file, CLASSES.size() + " class names expected, one a line, found " + names.size());
      }
      return names;
    } catch (IOException e) {
      throw new DataFormatException(file, "cannot be read: " + e, e);
    }
  }

  static boolean complete(Path folder, String suffix) {
    return missing(folder, suffix).isEmpty();
  }

  /// Whether any file of the set, in any form, is there.
  static boolean begun(Path folder) {
    return missing(folder, ".bin").size() <= TRAIN.size()
        || missing(folder, ".png").size() <= TRAIN.size();
  }

  private static List<String> missing(Path folder, String suffix) {
    List<String> names = new ArrayList<>(TRAIN);
    names.add(TEST);
    names.replaceAll(name -> name + suffix);
    names.removeIf(name -> Files.isRegularFile(folder.resolve(name)));
    return names;
  }
}
