package dev.gatun.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/// The IDX format of MNIST, plain or packed with gzip; which of the two is seen from the first
/// bytes, not from the name.
///
/// Images: `int32 0x00000803, int32 count, int32 height, int32 width`, then the pixels row by row.
/// Labels: `int32 0x00000801, int32 count`, then one byte each. All numbers are big-endian.
public final class Idx {
  private static final int IMAGES = 0x00000803;
  private static final int LABELS = 0x00000801;
  private static final int READ_AT_ONCE = 1 << 20;
  private static final int MOST_UNPACKED = 1032; // bytes that gzip makes of one

  private Idx() {}

  /// Reads a folder with the four files of MNIST: `train-images-idx3-ubyte`,
  /// `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each with or
  /// without `.gz`. The classes are "0", "1", ... up to the largest label in training.
  ///
  /// @throws DataFormatException when a file is missing or not as described above
  public static Split read(Path folder) {
    Path trainImages = require(folder, "train-images-idx3-ubyte");
    Path trainLabels = require(folder, "train-labels-idx1-ubyte");
    Path testImages = require(folder, "t10k-images-idx3-ubyte");
    Path testLabels = require(folder, "t10k-labels-idx1-ubyte");
    String name = folder.toAbsolutePath().normalize().getFileName() + "";
    int[] labels = labels(trainLabels);
    List<String> classNames = MemoryDataset.numbered(largest(labels) + 1);
    Dataset train = dataset(name + "/train", trainImages, trainLabels, labels, classNames);
    Dataset test = dataset(name + "/test", testImages, testLabels, labels(testLabels), classNames);
    if (!train.image().equals(test.image())) {
      throw new DataFormatException(
          testImages,
          "images of "
              + train.image()
              + " expected as in "
              + trainImages.getFileName()
              + ", found "
              + test.image());
    }
    return new Split(train, test);
  }

  /// Reads one file of images and the file of their labels. The classes are "0", "1", ... up to the
  /// largest label.
  ///
  /// @throws DataFormatException when a file is missing or not as described above
  public static Dataset read(Path images, Path labels) {
    int[] values = labels(labels);
    List<String> classNames = MemoryDataset.numbered(largest(values) + 1);
    return dataset(images.getFileName() + "", images, labels, values, classNames);
  }

  /// Reads a file of labels.
  ///
  /// @throws DataFormatException when the file is missing or not as described above
  public static int[] labels(Path file) {
    try (InputStream in = open(file)) {
      int count = header(file, in, LABELS, "labels, one dimension of unsigned bytes", 1)[0];
      byte[] bytes = in.readNBytes(count);
      if (bytes.length < count) {
        throw truncated(file, count + " labels", bytes.length);
      }
      requireEnd(file, in, count + " labels");
      int[] labels = new int[count];
      for (int i = 0; i < count; i++) {
        labels[i] = bytes[i] & 0xFF;
      }
      return labels;
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static Dataset dataset(
      String name, Path images, Path labelFile, int[] labels, List<String> classNames) {
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= classNames.size()) {
        throw new DataFormatException(
            labelFile,
            "label of image "
                + i
                + " must be in 0.."
                + (classNames.size() - 1)
                + ", found "
                + labels[i]);
      }
    }
    ImageStore store = images(images);
    if (store.count() != labels.length) {
      throw new DataFormatException(
          labelFile,
          store.count()
              + " labels expected, one for each image in "
              + images.getFileName()
              + ", found "
              + labels.length);
    }
    return new MemoryDataset(name, store, labels, classNames);
  }

  private static ImageStore images(Path file) {
    try (InputStream in = open(file)) {
      int[] sizes = header(file, in, IMAGES, "images, three dimensions of unsigned bytes", 3);
      ImageShape shape;
      try {
        shape = new ImageShape(sizes[1], sizes[2], 1);
      } catch (IllegalArgumentException e) {
        throw new DataFormatException(
            file, "images of a sensible size expected, found " + sizes[1] + " x " + sizes[2], e);
      }
      String expected = sizes[0] + " images of " + sizes[1] + " x " + sizes[2] + " bytes";
      // Before memory is asked for: a header may lie.
      if (Files.isRegularFile(file)
          && (long) sizes[0] * shape.elements() > MOST_UNPACKED * Files.size(file)) {
        throw truncated(file, expected, in.transferTo(OutputStream.nullOutputStream()));
      }
      ImageStore store = new ImageStore(shape, sizes[0]);
      for (int i = 0; i < sizes[0]; i++) {
        int read = in.readNBytes(store.writable(i), store.offset(i), shape.elements());
        if (read < shape.elements()) {
          throw truncated(file, expected, (long) i * shape.elements() + read);
        }
      }
      requireEnd(file, in, expected);
      return store;
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  /// Reads the magic number and the dimensions, the first of which must be at least 1.
  private static int[] header(Path file, InputStream in, int magic, String what, int rank)
      throws IOException {
    byte[] bytes = in.readNBytes(4);
    if (bytes.length == 0) {
      throw new DataFormatException(file, "IDX " + what + ", expected, found an empty file");
    }
    if (bytes.length < 4 || intAt(bytes, 0) != magic) {
      StringBuilder found = new StringBuilder("0x");
      for (byte b : bytes) {
        found.append(String.format("%02x", b));
      }
      throw new DataFormatException(
          file,
          String.format("IDX %s (magic number 0x%08x) expected, found %s", what, magic, found));
    }
    byte[] sizes = in.readNBytes(4 * rank);
    if (sizes.length < 4 * rank) {
      throw truncated(file, "a header of " + (4 + 4 * rank) + " bytes", 4L + sizes.length);
    }
    int[] dimensions = new int[rank];
    for (int i = 0; i < rank; i++) {
      dimensions[i] = intAt(sizes, 4 * i);
    }
    if (dimensions[0] < 1) {
      throw new DataFormatException(
          file, "at least one entry expected, the header says " + dimensions[0]);
    }
    return dimensions;
  }

  private static int intAt(byte[] bytes, int offset) {
    return (bytes[offset] & 0xFF) << 24
        | (bytes[offset + 1] & 0xFF) << 16
        | (bytes[offset + 2] & 0xFF) << 8
        | (bytes[offset + 3] & 0xFF);
  }

  private static InputStream open(Path file) throws IOException {
    BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), READ_AT_ONCE);
    in.mark(2);
    boolean packed = in.read() == 0x1f && in.read() == 0x8b;
    in.reset();
    return packed ? new GZIPInputStream(in, 1 << 16) : in;
  }

  private static void requireEnd(Path file, InputStream in, String expected) throws IOException {
    long more = in.transferTo(OutputStream.nullOutputStream());
    if (more > 0) {
      throw new DataFormatException(
          file, "the end expected after " + expected + ", found " + more + " more bytes");
    }
  }

  private static DataFormatException truncated(Path file, String expected, long found) {
    return new DataFormatException(
        file, "truncated: " + expected + " expected, found " + found + " bytes");
  }

  private static DataFormatException unreadable(Path file, IOException e) {
    if (e instanceof EOFException) {
      return new DataFormatException(file, "truncated: the gzip stream ends too early", e);
    }
    return new DataFormatException(file, "cannot be read: " + e, e);
  }

  /// `folder/name` or `folder/name.gz`, whichever exists, or null.
  static @Nullable Path find(Path folder, String name) {
    for (String candidate : new String[] {name, name + ".gz"}) {
      if (Files.isRegularFile(folder.resolve(candidate))) {
        return folder.resolve(candidate);
      }
    }
    return null;
  }

  static Path require(Path folder, String name) {
    Path file = find(folder, name);
    if (file == null) {
      throw new DataFormatException(folder, name + " or " + name + ".gz expected, found neither");
    }
    return file;
  }

  private static int largest(int[] values) {
    int largest = 0;
    for (int value : values) {
      largest = Math.max(largest, value);
    }
    return largest;
  }
}
