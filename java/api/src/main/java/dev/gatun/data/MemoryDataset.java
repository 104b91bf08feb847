package dev.gatun.data;

import java.util.List;
import java.util.stream.IntStream;

/// A set held in memory.
public final class MemoryDataset implements Dataset {
  private final String name;
  private final ImageStore images;
  private final int[] labels;
  private final List<String> classNames;

  MemoryDataset(String name, ImageStore images, int[] labels, List<String> classNames) {
    if (images.count() == 0) {
      throw new IllegalArgumentException("[data] " + name + " has no images");
    }
    if (labels.length != images.count()) {
      throw new IllegalArgumentException(
          "[data] " + name + " has " + images.count() + " images and " + labels.length + " labels");
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= classNames.size()) {
        throw new IllegalArgumentException(
            "[data] "
                + name
                + ": label of image "
                + i
                + " must be in 0.."
                + (classNames.size() - 1)
                + ", found "
                + labels[i]);
      }
    }
    this.name = name;
    this.images = images;
    this.labels = labels;
    this.classNames = List.copyOf(classNames);
  }

  /// A set of `labels.length` images from one array, copied; the classes are called "0", "1", ...
  /// up to the largest label.
  ///
  /// @param name what to call the set
  /// @param image the shape of every image
  /// @param pixels `[images, height, width, channels]`, unsigned bytes
  /// @param labels `[images]`, each at least 0
  /// @throws IllegalArgumentException when the sizes do not agree or a label is negative
  public static MemoryDataset of(String name, ImageShape image, byte[] pixels, int[] labels) {
    if ((long) labels.length * image.elements() != pixels.length) {
      throw new IllegalArgumentException(
          "[data] "
              + name
              + ": "
              + labels.length
              + " images of "
              + image
              + " need "
              + (long) labels.length * image.elements()
              + " bytes, found "
              + pixels.length);
    }
    ImageStore store = new ImageStore(image, labels.length);
    for (int i = 0; i < labels.length; i++) {
      System.arraycopy(
          pixels, i * image.elements(), store.writable(i), store.offset(i), image.elements());
    }
    int classes = IntStream.of(labels).max().orElse(0) + 1;
    return new MemoryDataset(name, store, labels.clone(), numbered(classes));
  }

  /// Every image of `source` read once: worthwhile for pictures that are small and slow to decode.
  public static MemoryDataset copyOf(Dataset source) {
    ImageStore store = new ImageStore(source.image(), source.size());
    int[] labels = new int[source.size()];
    for (int i = 0; i < labels.length; i++) {
      source.read(i, store.writable(i), store.offset(i));
      labels[i] = source.label(i);
    }
    return new MemoryDataset(source.name(), store, labels, source.classNames());
  }

  /// The same images with names for the classes.
  ///
  /// @throws IllegalArgumentException when a label has no name
  public MemoryDataset withClassNames(List<String> names) {
    return new MemoryDataset(name, images, labels, names);
  }

  static List<String> numbered(int classes) {
    return IntStream.range(0, classes).mapToObj(Integer::toString).toList();
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
    return images.shape();
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
    images.read(index, target, offset);
  }
}
