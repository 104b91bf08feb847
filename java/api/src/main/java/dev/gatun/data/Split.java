package dev.gatun.data;

/// What to learn from and what to measure on.
///
/// @param train the images to train on
/// @param test the images to evaluate on, of the same shape and with the same classes
public record Split(Dataset train, Dataset test) {
  /// @throws IllegalArgumentException when the two differ in shape or classes
  public Split {
    if (!train.image().equals(test.image())) {
      throw new IllegalArgumentException(
          "[data] train images are " + train.image() + ", test images " + test.image());
    }
    if (!train.classNames().equals(test.classNames())) {
      throw new IllegalArgumentException(
          "[data] train classes are " + train.classNames() + ", test classes " + test.classNames());
    }
  }
}
