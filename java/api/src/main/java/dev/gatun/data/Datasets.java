package dev.gatun.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Opens a folder of data without being told what it holds.
public final class Datasets {
  /// Side of the square images made from folders of pictures when no other is asked for.
  public static final int PICTURE_SIDE = 32;

  private static final double TEST_FRACTION = 0.1;
  private static final long SPLIT_SEED = 0;

  private Datasets() {}

  /// Opens `folder`, pictures of any size made into squares of [#PICTURE_SIDE].
  ///
  /// @throws DataFormatException see [#open(Path, int)]
  public static Split open(Path folder) {
    return open(folder, PICTURE_SIDE);
  }

  /// Opens `folder` with the reader that fits what is in it: [Idx], [Cifar10] or [ImageFolder],
  /// tried in this order. Of pictures without a test folder, every tenth of a class is kept to test
  /// with.
  ///
  /// @param pictureSide height and width of the images made from folders of pictures
  /// @throws DataFormatException when the folder does not exist, none of the readers finds its
  ///   files (the message says which were looked for), or the files are not what they should be
  public static Split open(Path folder, int pictureSide) {
    if (!Files.isDirectory(folder)) {
      throw new DataFormatException(
          folder,
          "a folder of data expected, found " + (Files.exists(folder) ? "a file" : "nothing"));
    }
    if (Idx.find(folder, "train-images-idx3-ubyte") != null
        || Idx.find(folder, "t10k-images-idx3-ubyte") != null) {
      return Idx.read(folder);
    }
    if (Cifar10.begun(folder)) {
      return Cifar10.read(folder);
    }
    List<String> folders = ImageFolder.folders(folder);
    if (folders.contains("train")) {
      return ImageFolder.open(folder, pictureSide, pictureSide);
    }
    if (!folders.isEmpty()) {
      ImageShape image = new ImageShape(pictureSide, pictureSide, 3);
      return ImageFolder.split(folder, image, TEST_FRACTION, SPLIT_SEED);
    }
    throw new DataFormatException(
        folder,
        "no data found; looked for train-images-idx3-ubyte[.gz] (MNIST), data_batch_1.bin or"
            + " data_batch_1.png (CIFAR-10), train/<class>/*.jpg or <class>/*.jpg (pictures)");
  }
}
