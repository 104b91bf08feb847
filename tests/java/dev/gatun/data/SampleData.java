package dev.gatun.data;

import dev.gatun.random.RandomStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/// Small data made by the tests.
final class SampleData {
  private SampleData() {}

  static byte[] bytes(int count, long seed) {
    RandomStream random = new RandomStream(seed, 0);
    byte[] bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) random.nextInt(256);
    }
    return bytes;
  }

  /// `count` random images labelled 0, 1, 2, 0, 1, 2, ...
  static MemoryDataset dataset(int count, ImageShape image) {
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      labels[i] = i % 3;
    }
    return MemoryDataset.of("sample", image, bytes(count * image.elements(), 1), labels);
  }

  static byte[] idx(int magic, int[] sizes, byte[] content) {
    ByteBuffer buffer = ByteBuffer.allocate(4 + 4 * sizes.length + content.length).putInt(magic);
    for (int size : sizes) {
      buffer.putInt(size);
    }
    return buffer.put(content).array();
  }

  static byte[] idxImages(int count, int height, int width, byte[] pixels) {
    return idx(0x803, new int[] {count, height, width}, pixels);
  }

  static byte[] idxLabels(int... labels) {
    byte[] content = new byte[labels.length];
    for (int i = 0; i < labels.length; i++) {
      content[i] = (byte) labels[i];
    }
    return idx(0x801, new int[] {labels.length}, content);
  }

  static byte[] gzip(byte[] content) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(packed)) {
      out.write(content);
    }
    return packed.toByteArray();
  }

  static Path write(Path file, byte[] content) throws IOException {
    Files.createDirectories(file.getParent());
    return Files.write(file, content);
  }

  static byte[] image(Dataset dataset, int index) {
    byte[] image = new byte[dataset.image().elements()];
    dataset.read(index, image, 0);
    return image;
  }
}
