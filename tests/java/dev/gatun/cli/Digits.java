package dev.gatun.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/// A small folder of data as MNIST has it: 8x8 pictures of ten classes, told apart by a bright row
/// or column.
final class Digits {
  static final int TRAIN = 200;
  static final int TEST = 55;
  private static final int SIDE = 8;

  private Digits() {}

  static Path write(Path folder) throws IOException {
    write(folder, "train", TRAIN);
    write(folder, "t10k", TEST);
    return folder;
  }

  private static void write(Path folder, String part, int count) throws IOException {
    ByteBuffer images = ByteBuffer.allocate(16 + count * SIDE * SIDE);
    images.putInt(0x803).putInt(count).putInt(SIDE).putInt(SIDE);
    ByteBuffer labels = ByteBuffer.allocate(8 + count).putInt(0x801).putInt(count);
    for (int i = 0; i < count; i++) {
      int label = i % 10;
      labels.put((byte) label);
      for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
          boolean bright = label < 5 ? y == label : x == label - 2;
          images.put((byte) (bright ? 200 + i % 50 : (i * 7 + x * y) % 60));
        }
      }
    }
    Files.write(folder.resolve(part + "-images-idx3-ubyte"), images.array());
    Files.write(folder.resolve(part + "-labels-idx1-ubyte"), labels.array());
  }
}
