package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;

/// In which order the images of a set come in each epoch: a function of the seed and the epoch.
public final class EpochOrder {
  private static final long PURPOSE = 0x73687566666c65L; // "shuffle"

  private final Batches.Order order;
  private final RandomStream shuffling;
  private final int[] items;

  /// The order that `batches` asks for.
  public EpochOrder(Batches batches, long seed) {
    this(batches.dataset().size(), batches.order(), seed);
  }

  /// The order of `size` items.
  public EpochOrder(int size, Batches.Order order, long seed) {
    this.order = order;
    shuffling = new RandomStream(Philox.derive(seed, PURPOSE), 0);
    items = new int[size];
  }

  /// Goes to an epoch.
  public void start(int epoch) {
    for (int i = 0; i < items.length; i++) {
      items[i] = i;
    }
    if (order == Batches.Order.SHUFFLED) {
      shuffling.restart(epoch);
      shuffling.shuffle(items);
    }
  }

  /// The index in the set of the image that comes `place`-th, from 0.
  public int item(int place) {
    return items[place];
  }
}
