package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.List;
import java.util.stream.IntStream;

/// Pictures of the characters 0-9 and A-Z drawn from a seed: 32 x 32, red-green-blue, 36 classes,
/// for machines that have no data.
///
/// Every image takes one of several type faces, varies it, turns, scales, shears, bends and moves
/// it, and draws it in random colours over a gradient with stray lines and noise. The same seed
/// gives the same bytes on every machine; nothing is taken from installed fonts.
public final class DrawnCharacters {
  private static final ImageShape IMAGE = new ImageShape(32, 32, 3);
  private static final long PURPOSE = 0x676c79706873L; // "glyphs"
  private static final int TRAIN_COUNT = 18_000;
  private static final int TEST_COUNT = 2_000;
  private static final int BLOCK = 250; // images drawn by one task

  private DrawnCharacters() {}

  /// 18,000 images to train on and 2,000 others to test on.
  public static Split make(long seed) {
    return make(seed, TRAIN_COUNT, TEST_COUNT);
  }

  /// As many images to train and to test on as asked for; the first ones of a larger set are the
  /// same as those of a smaller one. The classes take turns, so that they are of equal size up to
  /// one.
  ///
  /// @throws IllegalArgumentException when a number is below 1
  public static Split make(long seed, int trainCount, int testCount) {
    return new Split(
        draw("characters/train", seed, 0, trainCount), draw("characters/test", seed, 1, testCount));
  }

  private static Dataset draw(String name, long seed, int part, int count) {
    if (count < 1) {
      throw new IllegalArgumentException(
          "[data] " + name + ": at least 1 image expected, asked for " + count);
    }
    ImageStore store = new ImageStore(IMAGE, count);
    int[] labels = new int[count];
    long derived = Philox.derive(seed, PURPOSE);
    IntStream.range(0, Math.ceilDiv(count, BLOCK))
        .parallel()
        .forEach(
            block -> {
              CharacterPainter painter = new CharacterPainter(IMAGE);
              RandomStream random = new RandomStream(derived, 0);
              for (int i = block * BLOCK; i < Math.min(count, (block + 1) * BLOCK); i++) {
                random.restart(((long) part << 32) | i);
                labels[i] = i % Glyphs.CHARACTERS.length();
                painter.paint(labels[i], random, store.writable(i), store.offset(i));
              }
            });
    List<String> classNames =
        Glyphs.CHARACTERS.chars().mapToObj(c -> String.valueOf((char) c)).toList();
    return new MemoryDataset(name, store, labels, classNames);
  }
}
