package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/// Some images of another set.
final class Subset implements Dataset {
  private static final long PURPOSE = 0x7069637475726573L; // "pictures"

  private final Dataset source;
  private final int[] indices;

  Subset(Dataset source, int[] indices) {
    if (indices.length == 0) {
      throw new IllegalArgumentException("[data] a subset needs at least one image, found none");
    }
    for (int index : indices) {
      Objects.checkIndex(index, source.size());
    }
    this.source = source;
    this.indices = indices.clone();
  }

  /// The numbers below `size` in a random order.
  static int[] shuffled(int size, long seed) {
    int[] order = IntStream.range(0, size).toArray();
    new RandomStream(Philox.derive(seed, PURPOSE), 0).shuffle(order);
    return order;
  }

  @Override
  public String name() {
    return source.name();
  }

  @Override
  public int size() {
    return indices.length;
  }

  @Override
  public ImageShape image() {
    return source.image();
  }

  @Override
  public List<String> classNames() {
    return source.classNames();
  }

  @Override
  public int label(int index) {
    return source.label(indices[index]);
  }

  @Override
  public void read(int index, byte[] target, int offset) {
    source.read(indices[index], target, offset);
  }
}
