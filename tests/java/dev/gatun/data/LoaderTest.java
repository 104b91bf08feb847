package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// No test here may hang: each has a limit, in a thread of its own.
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LoaderTest {
  private static final ImageShape SHAPE = new ImageShape(8, 8, 3);
  private static final Augmentation.Pipeline AUGMENT =
      Augmentation.Pipeline.of(
          Augmentation.pad(2), Augmentation.randomCrop(8, 8), Augmentation.flipHorizontal());

  @Test
  void sequentialBatchesHoldTheSetInOrder() {
    MemoryDataset dataset = SampleData.dataset(10, SHAPE);
    try (Loader loader = plain(dataset.batch(4), 1)) {
      loader.start(0);
      for (int number = 0; number < 3; number++) {
        Batch batch = loader.next();
        assertNotNull(batch);
        assertEquals(number, batch.number());
        assertEquals(number < 2 ? 4 : 2, batch.count());
        for (int i = 0; i < 4; i++) {
          int item = number * 4 + i;
          float[] found = Arrays.copyOfRange(batch.images(), i * 192, (i + 1) * 192);
          float[] expected = new float[192];
          if (item < 10) {
            Standardizer.scale(3).apply(SampleData.image(dataset, item), expected, 0);
          }
          assertArrayEquals(expected, found);
          assertEquals(item < 10 ? dataset.label(item) : Batch.NO_LABEL, batch.labels()[i]);
        }
        loader.release(batch);
      }
      assertNull(loader.next());
      assertNull(loader.next());
    }
  }

  @Test
  void theRestIsDropped() {
    try (Loader loader = plain(SampleData.dataset(10, SHAPE).batch(4).dropRemainder(), 1)) {
      loader.start(0);
      assertEquals(2, drain(loader).size());
    }
  }

  @Test
  void aSlotUsedForAnIncompleteBatchIsCleanAgain() {
    MemoryDataset dataset = SampleData.dataset(5, SHAPE);
    try (Loader loader = plain(dataset.batch(4), 1)) {
      loader.start(0);
      List<float[]> first = drain(loader);
      for (int epoch = 1; epoch < 7; epoch++) {
        loader.start(epoch);
        List<float[]> again = drain(loader);
        for (int i = 0; i < first.size(); i++) {
          assertArrayEquals(first.get(i), again.get(i));
        }
      }
    }
  }

  @Test
  void shufflingShowsEveryImageOnceInAnOrderOfTheEpoch() {
    // Image i is i everywhere.
    byte[] pixels = new byte[100];
    for (int i = 0; i < 100; i++) {
      pixels[i] = (byte) i;
    }
    Dataset dataset = MemoryDataset.of("hundred", new ImageShape(1, 1, 1), pixels, new int[100]);
    List<List<Integer>> orders = new ArrayList<>();
    for (long seed : new long[] {1, 1, 2}) {
      try (Loader loader =
          new Loader(
              dataset.batch(7).shuffled(),
              Standardizer.scale(1),
              Augmentation.Pipeline.none(),
              seed,
              2)) {
        for (int epoch = 0; epoch < 2; epoch++) {
          loader.start(epoch);
          List<Integer> order = new ArrayList<>();
          for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
            for (int i = 0; i < batch.count(); i++) {
              order.add(Math.round(batch.images()[i] * 255));
            }
            loader.release(batch);
          }
          assertEquals(100, order.size());
          assertEquals(100, order.stream().distinct().count());
          orders.add(order);
        }
      }
    }
    assertEquals(orders.get(0), orders.get(2));
    assertEquals(orders.get(1), orders.get(3));
    assertEquals(4, orders.stream().distinct().count()); // two seeds, two epochs
  }

  @Test
  void theNumberOfThreadsDoesNotMatter() {
    Dataset dataset = SampleData.dataset(101, SHAPE);
    List<List<float[]>> runs = new ArrayList<>();
    for (int threads : new int[] {1, 2, 5}) {
      try (Loader loader =
          new Loader(dataset.batch(8).shuffled(), Standardizer.fit(dataset), AUGMENT, 9, threads)) {
        loader.start(4);
        runs.add(drain(loader));
      }
    }
    for (List<float[]> run : runs) {
      assertEquals(13, run.size());
      for (int i = 0; i < 13; i++) {
        assertArrayEquals(runs.getFirst().get(i), run.get(i));
      }
    }
  }

  @Test
  void anEpochCanBeStartedAgainAndInTheMiddleOfAnother() {
    Dataset dataset = SampleData.dataset(200, SHAPE);
    try (Loader loader =
        new Loader(dataset.batch(8).shuffled(), Standardizer.scale(3), AUGMENT, 9, 3)) {
      loader.start(2);
      List<float[]> whole = drain(loader);
      for (int i = 0; i < 50; i++) {
        loader.start(5);
        for (int taken = 0; taken < i % 4; taken++) {
          assertNotNull(loader.next()); // and never released
        }
      }
      loader.start(2);
      List<float[]> again = drain(loader);
      assertEquals(whole.size(), again.size());
      for (int i = 0; i < whole.size(); i++) {
        assertArrayEquals(whole.get(i), again.get(i));
      }
    }
  }

  @Test
  void batchesComeBeforeTheyAreAskedFor() throws InterruptedException {
    CountDownLatch read = new CountDownLatch(12);
    try (Loader loader = plain(watched(SampleData.dataset(40, SHAPE), i -> read.countDown()), 1)) {
      loader.start(0);
      assertTrue(read.await(10, TimeUnit.SECONDS), "three batches of 4 without a call of next()");
    }
  }

  @Test
  void onlyAsManyBatchesAsThereAreSlotsAreMadeAhead() throws InterruptedException {
    AtomicInteger read = new AtomicInteger();
    try (Loader loader =
        plain(watched(SampleData.dataset(400, SHAPE), i -> read.incrementAndGet()), 1)) {
      loader.start(0);
      Batch batch = loader.next();
      assertNotNull(batch);
      while (read.get() < 12) {
        Thread.onSpinWait(); // the limit of the test ends this
      }
      Thread.sleep(50); // time to go too far
      assertEquals(12, read.get());
      loader.release(batch);
      drain(loader);
      assertEquals(400, read.get());
    }
  }

  @Test
  void brokenImagesSurfaceInTheirPlaceWithTheirFile() {
    Path file = Path.of("photos", "broken.jpg");
    Batches batches =
        watched(
            SampleData.dataset(40, SHAPE),
            i -> {
              if (i == 13) {
                throw new DataFormatException(file, "truncated");
              }
            });
    for (int threads = 1; threads <= 4; threads++) {
      try (Loader loader = plain(batches, threads)) {
        for (int epoch = 0; epoch < 3; epoch++) {
          loader.start(epoch);
          for (int number = 0; number < 3; number++) {
            Batch batch = loader.next();
            assertNotNull(batch);
            loader.release(batch);
          }
          for (int again = 0; again < 2; again++) {
            DataFormatException e = assertThrows(DataFormatException.class, loader::next);
            assertEquals(file, e.file());
            Messages.assertSays(e, "broken.jpg");
            Messages.assertSays(e, "image 13 of sample");
            assertInstanceOf(DataFormatException.class, e.getCause());
          }
        }
      }
    }
  }

  @Test
  void otherFailuresKeepTheirCause() {
    Error error = new StackOverflowError("deep");
    Batches batches =
        watched(
            SampleData.dataset(4, SHAPE),
            i -> {
              throw error;
            });
    try (Loader loader = plain(batches, 1)) {
      loader.start(0);
      IllegalStateException e = assertThrows(IllegalStateException.class, loader::next);
      assertSame(error, e.getCause());
      Messages.assertSays(e, "image 0 of sample");
    }
  }

  @Test
  void misuseIsRefused() {
    Batches batches = SampleData.dataset(100, SHAPE).batch(4);
    Loader loader = plain(batches, 1);
    assertThrows(IllegalStateException.class, loader::next, "no epoch");
    assertThrows(IllegalArgumentException.class, () -> loader.start(-1));
    loader.start(0);
    List<Batch> held = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      held.add(loader.next());
    }
    IllegalStateException full = assertThrows(IllegalStateException.class, loader::next);
    Messages.assertSays(full, "all 3 batches are in use");
    loader.release(held.getFirst());
    assertThrows(IllegalStateException.class, () -> loader.release(held.getFirst()));
    assertNotNull(loader.next());
    try (Loader other = plain(batches, 1)) {
      other.start(0);
      Batch foreign = other.next();
      assertNotNull(foreign);
      assertThrows(IllegalArgumentException.class, () -> loader.release(foreign));
    }
    loader.close();
    loader.close();
    assertThrows(IllegalStateException.class, loader::next);
    assertThrows(IllegalStateException.class, () -> loader.start(1));
    loader.release(held.get(1)); // a finally block may still do this
  }

  @Test
  void partsThatDoNotFitAreRefused() {
    Dataset dataset = SampleData.dataset(10, SHAPE);
    Augmentation.Pipeline none = Augmentation.Pipeline.none();
    assertRefused(
        "10 images, fewer than one batch of 16",
        () -> new Loader(dataset.batch(16).dropRemainder(), Standardizer.scale(3), none, 0, 1));
    Dataset empty = new Empty(dataset);
    assertRefused(
        empty.name() + " has no images",
        () -> new Loader(empty.batch(2), Standardizer.scale(3), none, 0, 1));
    assertRefused(
        "3 channels, the standardizer has 1",
        () -> new Loader(dataset.batch(2), Standardizer.scale(1), none, 0, 1));
    assertRefused("threads", () -> new Loader(dataset.batch(2), Standardizer.scale(3), none, 0, 0));
    assertRefused(
        "9 x 9",
        () ->
            new Loader(
                dataset.batch(2),
                Standardizer.scale(3),
                Augmentation.Pipeline.of(Augmentation.randomCrop(9, 9)),
                0,
                1));
    assertRefused(
        "elements",
        () -> new Loader(dataset.batch(Integer.MAX_VALUE), Standardizer.scale(3), none, 0, 1));
  }

  /// Classes counted from 1, say: the loss would be NaN, and with mixing the target that of another
  /// image.
  @Test
  void aLabelOutsideTheClasses_isNamed() {
    Dataset sound = SampleData.dataset(8, SHAPE);
    int classes = sound.classes();
    for (int wrong : new int[] {classes, -1}) {
      Batches batches = new Relabelled(sound, 5, wrong).batch(4);
      for (Mixing mixing : List.of(Mixing.none(), Mixing.mixup(1))) {
        try (Loader loader =
            new Loader(
                batches, Standardizer.scale(3), Augmentation.Pipeline.none(), mixing, 0, 1)) {
          loader.start(0);
          loader.release(Objects.requireNonNull(loader.next()));
          IllegalStateException thrown = assertThrows(IllegalStateException.class, loader::next);
          assertTrue(
              String.valueOf(thrown.getMessage())
                  .endsWith(
                      "label "
                          + wrong
                          + " of image 5 of "
                          + sound.name()
                          + " is none of its "
                          + classes
                          + " classes"),
              thrown.getMessage());
        }
      }
    }
  }

  @Test
  void closingWakesAWaitingConsumerAndEndsTheThreads() throws InterruptedException {
    CountDownLatch reading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Batches batches =
        watched(
            SampleData.dataset(8, SHAPE),
            i -> {
              reading.countDown();
              awaitQuietly(goOn);
            });
    int before = loaderThreads();
    Loader loader = plain(batches, 2);
    assertEquals(before + 2, loaderThreads());
    loader.start(0);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread consumer =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    loader.next();
                  } catch (IllegalStateException e) {
                    thrown.set(e);
                  }
                });
    assertTrue(reading.await(10, TimeUnit.SECONDS));
    Thread closer = Thread.ofPlatform().start(loader::close);
    consumer.join();
    assertInstanceOf(IllegalStateException.class, thrown.get());
    goOn.countDown();
    closer.join();
    assertEquals(before, loaderThreads());
  }

  @Test
  void closingIsPromptInEveryState() {
    Dataset dataset = SampleData.dataset(2000, SHAPE);
    int before = loaderThreads();
    for (int i = 0; i < 60; i++) {
      Loader loader = new Loader(dataset.batch(50), Standardizer.scale(3), AUGMENT, 0, 1 + i % 3);
      if (i % 5 > 0) {
        loader.start(0);
      }
      for (int taken = 1; taken < i % 5; taken++) {
        loader.next();
      }
      long begin = System.nanoTime();
      loader.close();
      assertTrue(System.nanoTime() - begin < 2_000_000_000L);
    }
    assertEquals(before, loaderThreads());
  }

  @Test
  void anInterruptedConsumerIsTold() throws InterruptedException {
    CountDownLatch goOn = new CountDownLatch(1);
    try (Loader loader = plain(watched(SampleData.dataset(8, SHAPE), i -> awaitQuietly(goOn)), 1)) {
      loader.start(0);
      Thread.currentThread().interrupt();
      assertThrows(IllegalStateException.class, loader::next);
      assertTrue(Thread.interrupted());
      goOn.countDown();
      assertEquals(2, drain(loader).size());
    }
  }

  @Test
  void takingAndReleasingAllocatesNothing() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long self = Thread.currentThread().threadId();
    try (Loader loader =
        new Loader(
            SampleData.dataset(4000, SHAPE).batch(4), Standardizer.scale(3), AUGMENT, 0, 1)) {
      long allocated = 0;
      for (int epoch = 0; epoch < 5; epoch++) {
        loader.start(epoch);
        long before = threads.getThreadAllocatedBytes(self);
        for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
          loader.release(batch);
        }
        allocated = threads.getThreadAllocatedBytes(self) - before;
      }
      assertTrue(allocated < 1024, "bytes allocated in 1000 batches: " + allocated);
    }
  }

  private static Loader plain(Batches batches, int threads) {
    return new Loader(batches, Standardizer.scale(3), Augmentation.Pipeline.none(), 0, threads);
  }

  /// Batches of 4, with a call before every read.
  private static Batches watched(Dataset dataset, IntConsumer beforeRead) {
    return new Watched(dataset, beforeRead).batch(4);
  }

  private record Watched(Dataset dataset, IntConsumer beforeRead) implements Dataset {
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
      return dataset.label(index);
    }

    @Override
    public void read(int index, byte[] target, int offset) {
      beforeRead.accept(index);
      dataset.read(index, target, offset);
    }
  }

  private static List<float[]> drain(Loader loader) {
    List<float[]> images = new ArrayList<>();
    for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
      images.add(batch.images().clone());
      loader.release(batch);
    }
    return images;
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError("loader threads are not interrupted", e);
    }
  }

  private static int loaderThreads() {
    int count = 0;
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().startsWith("gatun-loader-")) {
        assertTrue(thread.isDaemon());
        count++;
      }
    }
    return count;
  }

  private static void assertRefused(String part, Runnable action) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, action::run);
    Messages.assertSays(e, part);
  }
}
