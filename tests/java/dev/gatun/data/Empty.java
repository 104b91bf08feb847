package dev.gatun.data;

import java.util.List;

/// A set of none of another's images: what a filter of one's own may leave.
///
/// @param dataset the other
public record Empty(Dataset dataset) implements Dataset {
  @Override
  public String name() {
    return dataset.name();
  }

  @Override
  public int size() {
    return 0;
  }

  @Override
  public ImageShape image() {
    return dataset.image();
  }

  @Override
  public List<String> classNames() {
    return dataset.classNames();
  }

  @Override
  public int label(int index) {
    throw new IndexOutOfBoundsException(index);
  }

  @Override
  public void read(int index, byte[] target, int offset) {
    throw new IndexOutOfBoundsException(index);
  }
}
