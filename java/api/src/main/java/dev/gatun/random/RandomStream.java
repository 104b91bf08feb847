package dev.gatun.random;

/// The numbers of one Philox stream, one after the other.
///
/// The sequence depends on `(seed, stream)` only, never on the machine. Use a stream of its own for
/// every item of parallel work ([#restart(long)] reuses the object): then the result does not
/// depend on who does what. Not safe for use by several threads at once.
public final class RandomStream {
  private final long seed;
  private long stream;
  private long nextBlock;
  private final int[] words = new int[4];
  private int used = 4;
  private double spareGaussian = Double.NaN;

  /// The stream number `stream` of `seed`, at its beginning.
  public RandomStream(long seed, long stream) {
    this.seed = seed;
    this.stream = stream;
  }

  /// Goes to the beginning of another stream of the same seed; allocates nothing.
  public void restart(long stream) {
    this.stream = stream;
    skipTo(0);
  }

  /// Goes to the 32-bit word number `word` of the stream, counted from 0.
  ///
  /// @throws IllegalArgumentException when `word` is negative
  public void skipTo(long word) {
    if (word < 0) {
      throw new IllegalArgumentException("[random] word index must be at least 0, found " + word);
    }
    nextBlock = word >>> 2;
    used = 4;
    spareGaussian = Double.NaN;
    int within = (int) (word & 3);
    if (within > 0) {
      refill();
      used = within;
    }
  }

  /// The number of the next 32-bit word, for [#skipTo].
  public long position() {
    return 4 * nextBlock - (4 - used);
  }

  /// The next 32 random bits.
  public int nextInt() {
    if (used == 4) {
      refill();
    }
    return words[used++];
  }

  /// A whole number in `[0, bound)`, each equally likely.
  ///
  /// Lemire, "Fast Random Integer Generation in an Interval" (2019).
  ///
  /// @throws IllegalArgumentException when `bound` is not positive
  public int nextInt(int bound) {
    if (bound <= 0) {
      throw new IllegalArgumentException("[random] bound must be at least 1, found " + bound);
    }
    long product = (nextInt() & 0xFFFFFFFFL) * bound;
    if ((product & 0xFFFFFFFFL) < bound) {
      long rejected = (1L << 32) % bound;
      while ((product & 0xFFFFFFFFL) < rejected) {
        product = (nextInt() & 0xFFFFFFFFL) * bound;
      }
    }
    return (int) (product >>> 32);
  }

  /// A number in `[0, 1)`, a multiple of 2^-24.
  public float nextFloat() {
    return (nextInt() >>> 8) * 0x1p-24f;
  }

  /// A number in `[0, 1)`, a multiple of 2^-53.
  public double nextDouble() {
    int high = nextInt() >>> 6;
    int low = nextInt() >>> 5;
    return (((long) high << 27) + low) * 0x1p-53;
  }

  /// A number in `[low, high)`; `low` if both are equal.
  ///
  /// @throws IllegalArgumentException unless `low <= high`
  public double nextDouble(double low, double high) {
    if (!(low <= high)) {
      throw new IllegalArgumentException(
          "[random] expected low <= high, found " + low + " and " + high);
    }
    double number = low + (high - low) * nextDouble();
    return number < high ? number : Math.max(low, Math.nextDown(high)); // it may be rounded up
  }

  /// A number from the normal distribution with mean 0 and variance 1 (Box-Muller).
  public double nextGaussian() {
    if (!Double.isNaN(spareGaussian)) {
      double value = spareGaussian;
      spareGaussian = Double.NaN;
      return value;
    }
    // StrictMath: the same bits everywhere, which Math.log and Math.cos do not promise.
    double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - nextDouble()));
    double angle = 2 * StrictMath.PI * nextDouble();
    spareGaussian = radius * StrictMath.sin(angle);
    return radius * StrictMath.cos(angle);
  }

  /// A number in [0, 1] from the beta distribution with both parameters `alpha`: near 0 or 1 for a
  /// small one, uniform for 1, near 1/2 for a large one.
  ///
  /// @throws IllegalArgumentException when `alpha` is not greater than 0
  public double nextBeta(double alpha) {
    if (!(alpha > 0 && Double.isFinite(alpha))) {
      throw new IllegalArgumentException(
          "[random] an alpha greater than 0 expected, found " + alpha);
    }
    double a = nextGamma(alpha);
    double b = nextGamma(alpha);
    return a + b > 0 ? a / (a + b) : nextInt() & 1; // tiny alphas: both vanish
  }

  /// A number from the gamma distribution of scale 1 (Marsaglia and Tsang 2000).
  private double nextGamma(double shape) {
    if (shape < 1) {
      return nextGamma(shape + 1) * StrictMath.pow(1 - nextDouble(), 1 / shape);
    }
    double d = shape - 1.0 / 3;
    double c = 1 / StrictMath.sqrt(9 * d);
    while (true) {
      double x = nextGaussian();
      double t = 1 + c * x;
      double v = t * t * t;
      if (v > 0
          && StrictMath.log(1 - nextDouble()) < 0.5 * x * x + d - d * v + d * StrictMath.log(v)) {
        return d * v;
      }
    }
  }

  /// Puts `values` into a random order, each order equally likely (Fisher-Yates).
  public void shuffle(int[] values) {
    for (int i = values.length - 1; i > 0; i--) {
      int j = nextInt(i + 1);
      int value = values[i];
      values[i] = values[j];
      values[j] = value;
    }
  }

  private void refill() {
    Philox.block(seed, stream, nextBlock++, words);
    used = 0;
  }
}
