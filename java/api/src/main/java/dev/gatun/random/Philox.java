package dev.gatun.random;

/// Philox 4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy
/// as 1, 2, 3" (2011).
///
/// A block of four 32-bit words is a pure function of `(seed, stream, index)`, so that any element
/// of any stream is found without the ones before it.
public final class Philox {
  private static final long MULTIPLIER_0 = 0xD2511F53L;
  private static final long MULTIPLIER_1 = 0xCD9E8D57L;
  private static final int WEYL_0 = 0x9E3779B9;
  private static final int WEYL_1 = 0xBB67AE85;
  private static final int ROUNDS = 10;
  private static final long WORD = 0xFFFFFFFFL;

  private Philox() {}

  /// Writes the block of four words at `index` of `stream` to `out[0..3]`.
  ///
  /// The key is `(lo32(seed), hi32(seed))`, the counter `(lo32(index), hi32(index), lo32(stream),
  /// hi32(stream))`. Allocates nothing.
  public static void block(long seed, long stream, long index, int[] out) {
    int key0 = (int) seed;
    int key1 = (int) (seed >>> 32);
    int c0 = (int) index;
    int c1 = (int) (index >>> 32);
    int c2 = (int) stream;
    int c3 = (int) (stream >>> 32);
    for (int round = 0; round < ROUNDS; round++) {
      long product0 = (c0 & WORD) * MULTIPLIER_0;
      long product1 = (c2 & WORD) * MULTIPLIER_1;
      c0 = (int) (product1 >>> 32) ^ c1 ^ key0;
      c2 = (int) (product0 >>> 32) ^ c3 ^ key1;
      c1 = (int) product1;
      c3 = (int) product0;
      key0 += WEYL_0;
      key1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
  }

  /// A seed for one purpose (shuffling, augmentation, ...), derived from the user's seed.
  ///
  /// Two purposes may then use the same stream numbers without sharing their numbers.
  public static long derive(long seed, long purpose) {
    int[] words = new int[4];
    block(seed, purpose, -1L, words); // no stream of numbers gets as far as this index
    return (words[0] & WORD) | ((long) words[1] << 32);
  }
}
