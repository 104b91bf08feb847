package dev.gatun.data;

import java.util.List;

/// A set one of whose images has another label, one that it has no class for, say.
///
/// @param dataset the set
/// @param item the image
/// @param label its label
public record Relabelled(Dataset dataset, int item, int label) implements Dataset {
  @Override
  public String name() {
    return dataset.name();
  }

  @Override
  public int size() {
    return dataset.size();
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
    return index == item ? label : dataset.label(index);
  }

  @Override
  public void read(int index, byte[] target, int offset) {
    dataset.read(index, target, offset);
  }
}
