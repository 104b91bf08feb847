package dev.gatun.bench;

import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The matrix product as a Java expert would write it: packed panels, a register block of 8 rows by
/// 2 vectors with the Vector API, all cores. The rival that keeps the comparison with native code
/// honest.
final class TunedSgemm {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int ROWS = 8;
  private static final int COLUMNS = 2 * LANES;
  private static final int DEPTH = 384;

  private TunedSgemm() {}

  /// c = a · b; a is `[m, k]`, b `[k, n]`, c `[m, n]`. m must be a multiple of 8, n of two vectors.
  static void multiply(float[] c, float[] a, float[] b, int m, int n, int k) {
    if (m % ROWS != 0 || n % COLUMNS != 0) {
      throw new IllegalArgumentException(
          "expected multiples of " + ROWS + " and " + COLUMNS + ", found " + m + " x " + n);
    }
    float[] packed = new float[k * n];
    IntStream.range(0, n / COLUMNS)
        .parallel()
        .forEach(
            panel -> {
              for (int p = 0; p < k; p++) {
                System.arraycopy(
                    b, p * n + panel * COLUMNS, packed, (panel * k + p) * COLUMNS, COLUMNS);
              }
            });
    for (int first = 0; first < k; first += DEPTH) {
      int from = first;
      int depth = Math.min(DEPTH, k - first);
      // Each task keeps its rows of a in the second-level cache and goes through all panels of b.
      int block = 64;
      IntStream.range(0, Math.ceilDiv(m, block))
          .parallel()
          .forEach(
              task -> {
                int end = Math.min(m, (task + 1) * block);
                for (int panel = 0; panel < n / COLUMNS; panel++) {
                  int bStart = (panel * k + from) * COLUMNS;
                  for (int row = task * block; row < end; row += ROWS) {
                    tile(
                        c,
                        row * n + panel * COLUMNS,
                        n,
                        a,
                        row * k + from,
                        k,
                        packed,
                        bStart,
                        depth,
                        from > 0);
                  }
                }
              });
    }
  }

  /// One register block: 16 sums of `depth` products. Written out, since the compiler keeps only
  /// locals in registers.
  private static void tile(
      float[] c,
      int cAt,
      int n,
      float[] a,
      int aAt,
      int k,
      float[] b,
      int bAt,
      int depth,
      boolean add) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector c00 = zero;
    FloatVector c01 = zero;
    FloatVector c10 = zero;
    FloatVector c11 = zero;
    FloatVector c20 = zero;
    FloatVector c21 = zero;
    FloatVector c30 = zero;
    FloatVector c31 = zero;
    FloatVector c40 = zero;
    FloatVector c41 = zero;
    FloatVector c50 = zero;
    FloatVector c51 = zero;
    FloatVector c60 = zero;
    FloatVector c61 = zero;
    FloatVector c70 = zero;
    FloatVector c71 = zero;
    for (int p = 0; p < depth; p++) {
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, bAt + p * COLUMNS);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, bAt + p * COLUMNS + LANES);
      FloatVector a0 = FloatVector.broadcast(SPECIES, a[aAt + p]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(SPECIES, a[aAt + k + p]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(SPECIES, a[aAt + 2 * k + p]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(SPECIES, a[aAt + 3 * k + p]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(SPECIES, a[aAt + 4 * k + p]);
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      FloatVector a5 = FloatVector.broadcast(SPECIES, a[aAt + 5 * k + p]);
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      FloatVector a6 = FloatVector.broadcast(SPECIES, a[aAt + 6 * k + p]);
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      FloatVector a7 = FloatVector.broadcast(SPECIES, a[aAt + 7 * k + p]);
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
    }
    store(c, cAt, c00, c01, add);
    store(c, cAt + n, c10, c11, add);
    store(c, cAt + 2 * n, c20, c21, add);
    store(c, cAt + 3 * n, c30, c31, add);
    store(c, cAt + 4 * n, c40, c41, add);
    store(c, cAt + 5 * n, c50, c51, add);
    store(c, cAt + 6 * n, c60, c61, add);
    store(c, cAt + 7 * n, c70, c71, add);
  }

  private static void store(float[] c, int at, FloatVector left, FloatVector right, boolean add) {
    FloatVector first = add ? left.add(FloatVector.fromArray(SPECIES, c, at)) : left;
    FloatVector second = add ? right.add(FloatVector.fromArray(SPECIES, c, at + LANES)) : right;
    first.intoArray(c, at);
    second.intoArray(c, at + LANES);
  }
}
