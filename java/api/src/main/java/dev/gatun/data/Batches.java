package dev.gatun.data;

/// How a set is cut into batches; a description, see [Loader] for the batches themselves.
///
/// @param dataset where the images come from
/// @param size images in a batch, at least 1
/// @param order in which the images come
/// @param remainder what happens to the last images when they do not fill a batch
public record Batches(Dataset dataset, int size, Order order, Remainder remainder) {
  /// In which order the images come.
  public enum Order {
    /// That of the set.
    SEQUENTIAL,
    /// A random one, another for every epoch, that depends on the seed and the epoch only.
    SHUFFLED
  }

  /// What happens to the last images when they do not fill a batch.
  public enum Remainder {
    /// They make a batch that is filled up with empty images labelled -1.
    KEEP,
    /// They are left out of this epoch.
    DROP
  }

  /// @throws IllegalArgumentException when `size` is below 1
  public Batches {
    if (size < 1) {
      throw new IllegalArgumentException("[data] batch size must be at least 1, found " + size);
    }
  }

  /// The same in a random order.
  public Batches shuffled() {
    return new Batches(dataset, size, Order.SHUFFLED, remainder);
  }

  /// The same without an incomplete last batch.
  public Batches dropRemainder() {
    return new Batches(dataset, size, order, Remainder.DROP);
  }

  /// The number of batches in an epoch; 0 when the set is smaller than a batch and the remainder is
  /// dropped.
  public int count() {
    return remainder == Remainder.KEEP ? Math.ceilDiv(dataset.size(), size) : dataset.size() / size;
  }
}
