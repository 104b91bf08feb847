package dev.gatun.data;

/// How [Examples] are cut into batches; a description.
///
/// @param examples what is cut
/// @param size examples in a batch, at least 1
public record ExampleBatches(Examples examples, int size) {
  /// @throws IllegalArgumentException when `size` is below 1
  public ExampleBatches {
    if (size < 1) {
      throw new IllegalArgumentException("[data] batch size must be at least 1, found " + size);
    }
  }

  /// The number of batches in an epoch, an incomplete last one included.
  public int count() {
    return Math.ceilDiv(examples.size(), size);
  }
}
