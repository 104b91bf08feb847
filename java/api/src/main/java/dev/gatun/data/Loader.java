package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Makes batches in background threads, ahead of the training step, so that reading, augmenting and
/// preprocessing images overlap it.
///
/// ```
/// try (var loader = new Loader(batches, preprocessing, augmentation, seed, 1)) {
///   for (int epoch = 0; epoch < epochs; epoch++) {
///     loader.start(epoch);
///     for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
///       step(batch.images(), batch.labels());
///       loader.release(batch);
///     }
///   }
/// }
/// ```
///
/// The batches of an epoch depend on the seed and the epoch only, not on the number of threads. One
/// thread consumes; taking and releasing batches allocates nothing.
public final class Loader implements AutoCloseable {
  private static final long MIXING = 0x6d6978696e67L; // "mixing"
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);

  private enum State {
    FREE,
    FILLING,
    READY,
    HELD,
    FAILED
  }

  private final Batches batches;
  private final Preprocessing preprocessing;
  private final Mixing mixing;
  private final ImageShape image;
  private final Mixing.Extents extents;
  private final int classes;
  private final EpochOrder order;
  private final Thread[] threads;
  private volatile boolean cancelled; // tells threads to drop the batch they are filling

  // The ring: batch k of an epoch lives in slot k % slots.length. Everything below is guarded by
  // `lock`, except that the thread that is FILLING a slot owns its batch.
  private final Object lock = new Object();
  private final Batch[] slots;
  private final State[] states;
  private final @Nullable Throwable[] failures;
  private final int[] failedItems;
  private int epoch = -1;
  private int claimed; // batches that threads have begun
  private int taken; // batches that the consumer has had
  private int total;
  private int filling;
  private boolean closed;

  /// A loader with its threads waiting for the first [#start(int)].
  ///
  /// @param batches what to load
  /// @param preprocessing from bytes to floats, fitted on images of this size or of as many
  ///   channels
  /// @param augmentation what to do to each image before that; `none()` for evaluation
  /// @param seed of the order and of the augmentation
  /// @param threads how many batches to prepare at once, at least 1
  /// @throws IllegalArgumentException when the parts do not fit each other or there is no batch
  public Loader(
      Batches batches,
      Preprocessing preprocessing,
      Augmentation.Pipeline augmentation,
      long seed,
      int threads) {
    this(batches, preprocessing, augmentation, Mixing.none(), seed, threads);
  }

  /// The same with images mixed in pairs; then batches have targets.
  ///
  /// @throws IllegalArgumentException when the parts do not fit each other or there is no batch
  public Loader(
      Batches batches,
      Preprocessing preprocessing,
      Augmentation.Pipeline augmentation,
      Mixing mixing,
      long seed,
      int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("[loader] threads must be at least 1, found " + threads);
    }
    Dataset dataset = batches.dataset();
    if (dataset.size() == 0) {
      throw new IllegalArgumentException("[loader] " + dataset.name() + " has no images");
    }
    if (batches.count() == 0) {
      throw new IllegalArgumentException(
          "[loader] "
              + dataset.name()
              + " has "
              + dataset.size()
              + " images, fewer than one batch of "
              + batches.size()
              + ", and incomplete batches are dropped");
    }
    this.batches = batches;
    this.mixing = mixing;
    this.classes = dataset.classes();
    int targets = mixing instanceof Mixing.None ? 0 : classes;
    this.preprocessing = preprocessing;
    this.image = preprocessing.output(augmentation.output(dataset.image()));
    this.extents = new Mixing.Extents(image, targets);
    this.order = new EpochOrder(batches, seed);
    // One batch with the consumer, one ready for it, one in the hands of each thread.
    this.slots = new Batch[threads + 2];
    this.states = new State[slots.length];
    this.failures = new Throwable[slots.length];
    this.failedItems = new int[slots.length];
    for (int i = 0; i < slots.length; i++) {
      slots[i] = new Batch(batches.size(), image, targets);
    }
    Arrays.fill(states, State.FREE);
    this.threads = new Thread[threads];
    for (int i = 0; i < threads; i++) {
      Augmentation.Bound bound = augmentation.bind(dataset.image(), seed);
      RandomStream mixes = new RandomStream(Philox.derive(seed, MIXING), 0);
      this.threads[i] =
          Thread.ofPlatform().daemon().name("gatun-loader-" + i).start(() -> work(bound, mixes));
    }
  }

  /// The shape of the images in the batches.
  public ImageShape image() {
    return image;
  }

  /// Whether its batches have [Batch#targets].
  public boolean hasTargets() {
    return slots[0].targets() != null;
  }

  /// Begins an epoch from its first batch. What is left of the one before is dropped, and batches
  /// of it that were not released are taken back.
  ///
  /// @throws IllegalArgumentException when `epoch` is negative
  /// @throws IllegalStateException when the loader is closed
  public void start(int epoch) {
    if (epoch < 0) {
      throw new IllegalArgumentException("[loader] epoch must be at least 0, found " + epoch);
    }
    synchronized (lock) {
      requireOpen();
      cancelled = true;
      claimed = total;
      awaitIdle();
      requireOpen();
      order.start(epoch);
      Arrays.fill(states, State.FREE);
      Arrays.fill(failures, null);
      this.epoch = epoch;
      claimed = 0;
      taken = 0;
      total = batches.count();
      cancelled = false;
      lock.notifyAll();
    }
  }

  /// The next batch of the epoch, or null after the last. Waits until it is ready. The caller gives
  /// it back with [#release(Batch)].
  ///
  /// @throws DataFormatException when an image of the batch comes from a file that cannot be read
  /// @throws IllegalStateException when no epoch was started, the loader is closed, every batch is
  ///   with the caller, the thread is interrupted, a label is outside the classes, or an image
  ///   cannot be loaded for another reason
  public @Nullable Batch next() {
    synchronized (lock) {
      requireOpen();
      if (epoch < 0) {
        throw new IllegalStateException("[loader] start an epoch before taking a batch");
      }
      if (taken == total) {
        return null;
      }
      int slot = taken % slots.length;
      if (states[slot] == State.HELD) {
        throw new IllegalStateException(
            "[loader] all "
                + slots.length
                + " batches are in use; release one before taking the"
                + " next");
      }
      while (states[slot] != State.READY && states[slot] != State.FAILED) {
        try {
          lock.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new IllegalStateException("[loader] interrupted while waiting for a batch", e);
        }
        requireOpen();
      }
      Throwable failure = failures[slot];
      if (failure != null) {
        throw failed(failure, failedItems[slot]);
      }
      states[slot] = State.HELD;
      taken++;
      return slots[slot];
    }
  }

  /// Whether [#next()] has a batch at once.
  public boolean isReady() {
    synchronized (lock) {
      return !closed && taken < total && states[taken % slots.length] == State.READY;
    }
  }

  /// Gives a batch back to be filled again. Its arrays must not be used after that.
  ///
  /// @throws IllegalArgumentException when the batch is not of this loader
  /// @throws IllegalStateException when the batch is not with the caller
  public void release(Batch batch) {
    synchronized (lock) {
      for (int i = 0; i < slots.length; i++) {
        if (slots[i] == batch) {
          if (states[i] != State.HELD) {
            throw new IllegalStateException("[loader] the batch was released already");
          }
          states[i] = State.FREE;
          lock.notifyAll();
          return;
        }
      }
    }
    throw new IllegalArgumentException("[loader] the batch belongs to another loader");
  }

  /// Stops the threads. A second call does nothing.
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      cancelled = true;
      lock.notifyAll();
    }
    boolean interrupted = false;
    for (Thread thread : threads) {
      // Not interrupted: that would close a file channel which a data set may share.
      try {
        if (!thread.join(CLOSE_LIMIT)) {
          break; // stuck in a read; the thread is a daemon and ends after it
        }
      } catch (InterruptedException e) {
        interrupted = true;
        break;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void work(Augmentation.Bound bound, RandomStream mixes) {
    while (true) {
      int slot = claim();
      if (slot < 0) {
        return;
      }
      Throwable failure = null;
      int item = -1;
      Batch batch = slots[slot];
      try {
        int first = batch.number() * batches.size();
        for (int i = 0; i < batch.count() && !cancelled; i++) {
          item = order.item(first + i);
          load(item, i, batch, bound);
        }
        mix(batch, mixes);
      } catch (Throwable e) { // whatever it is, the consumer must not wait for ever
        failure = e;
      }
      finish(slot, failure, item);
    }
  }

  private void load(int item, int place, Batch batch, Augmentation.Bound bound) {
    Dataset dataset = batches.dataset();
    dataset.read(item, bound.input(), 0);
    byte[] bytes = bound.apply(epoch, item);
    preprocessing.apply(bytes, batch.images(), place * image.elements());
    int label = dataset.label(item);
    if (label < 0 || label >= classes) {
      throw new IllegalStateException(
          "[loader] label %d of image %d of %s is none of its %d classes"
              .formatted(label, item, dataset.name(), classes));
    }
    batch.labels()[place] = label;
  }

  private void mix(Batch batch, RandomStream mixes) {
    float[] targets = batch.targets();
    if (targets != null && !cancelled) {
      int classes = extents.classes();
      Arrays.fill(targets, 0, batch.count() * classes, 0);
      for (int i = 0; i < batch.count(); i++) {
        targets[i * classes + batch.labels()[i]] = 1;
      }
      mixes.restart(((long) epoch << 32) | batch.number());
      mixing.apply(batch.images(), targets, batch.count(), extents, mixes);
    }
  }

  /// Waits for a batch to fill; the slot it goes to, or -1 when the loader is closed.
  private int claim() {
    synchronized (lock) {
      while (!closed && (claimed == total || states[claimed % slots.length] != State.FREE)) {
        try {
          lock.wait();
        } catch (InterruptedException e) {
          // Nothing of ours interrupts these threads, and only close() may end them.
        }
      }
      if (closed) {
        return -1;
      }
      int number = claimed++;
      int slot = number % slots.length;
      states[slot] = State.FILLING;
      filling++;
      int rest = batches.dataset().size() - number * batches.size();
      slots[slot].begin(number, Math.min(batches.size(), rest));
      return slot;
    }
  }

  private void finish(int slot, @Nullable Throwable failure, int item) {
    synchronized (lock) {
      filling--;
      failures[slot] = failure;
      failedItems[slot] = item;
      states[slot] = failure == null ? State.READY : State.FAILED;
      if (failure != null) {
        claimed = total; // batches before this one are with other threads and still come
      }
      lock.notifyAll();
    }
  }

  private void awaitIdle() {
    boolean interrupted = false;
    while (filling > 0) {
      try {
        lock.wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private RuntimeException failed(Throwable failure, int item) {
    String where = "image " + item + " of " + batches.dataset().name();
    if (failure instanceof DataFormatException e) {
      return e.at(where);
    }
    return new IllegalStateException("[loader] cannot load " + where + ": " + failure, failure);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("[loader] closed");
    }
  }
}
