package dev.gatun.data;

import java.util.Arrays;
import java.util.List;

/// A fixed number of labelled images of one shape, read by index.
///
/// Implementations are immutable and safe for use by several threads at once.
public interface Dataset {
  /// What to call the set in messages and reports.
  String name();

  /// The number of images, at least 1.
  int size();

  /// The shape of every image.
  ImageShape image();

  /// The names of the classes, in label order.
  List<String> classNames();

  /// The class of image `index`, in `[0, classes())`.
  ///
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())`
  int label(int index);

  /// Writes image `index` to `target[offset ..]`, `image().elements()` unsigned bytes,
  /// channels-last.
  ///
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())` or the target is too
  ///   short
  /// @throws DataFormatException when the image comes from a file that cannot be read
  void read(int index, byte[] target, int offset);

  /// The height of every image.
  default int height() {
    return image().height();
  }

  /// The width of every image.
  default int width() {
    return image().width();
  }

  /// The channels of every image.
  default int channels() {
    return image().channels();
  }

  /// The number of classes.
  default int classes() {
    return classNames().size();
  }

  /// The first `count` images.
  ///
  /// @throws IllegalArgumentException when `count` is not in `[1, size()]`
  default Dataset take(int count) {
    if (count < 1 || count > size()) {
      throw new IllegalArgumentException(
          "[data] cannot take " + count + " images of " + name() + ", which has " + size());
    }
    int[] indices = new int[count];
    for (int i = 0; i < count; i++) {
      indices[i] = i;
    }
    return subset(indices);
  }

  /// The images at `indices`, in that order.
  ///
  /// @throws IllegalArgumentException when there are none
  /// @throws IndexOutOfBoundsException when an index is not in `[0, size())`
  default Dataset subset(int[] indices) {
    return new Subset(this, indices);
  }

  /// Cut in two at random, of which the second part is this share of the whole: to hold some images
  /// out where a set comes without a test set. The parts read the images of this set and copy none.
  ///
  /// @param seed the same seed gives the same parts
  /// @throws IllegalArgumentException when a part would be empty
  default Split split(double heldOut, long seed) {
    int cut = size() - (int) Math.round(heldOut * size());
    if (!(cut > 0 && cut < size())) {
      throw new IllegalArgumentException(
          "[data] expected a share that leaves some of %d images in both parts, found %s"
              .formatted(size(), heldOut));
    }
    int[] order = Subset.shuffled(size(), seed);
    return new Split(
        subset(Arrays.copyOf(order, cut)), subset(Arrays.copyOfRange(order, cut, size())));
  }

  /// Batches of `size` images in the order of the set, the incomplete last one kept.
  ///
  /// @throws IllegalArgumentException when `size` is below 1
  default Batches batch(int size) {
    return new Batches(this, size, Batches.Order.SEQUENTIAL, Batches.Remainder.KEEP);
  }
}
