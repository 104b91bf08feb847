package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.random.Philox;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DropoutTest {
  private static final int COUNT = 1003;

  private final Tensors t = new Tensors(DType.F32);

  /// The first block of seed 0, stream 0 is known (Random123): 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
  /// Its halves, low first: e8d5 6627 c58d e169 ac4c bc57 dbd8 9b00, to be compared with 0xc000.
  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void knownAnswer(DType dtype) {
    Tensors own = new Tensors(dtype);
    View x = own.of(shape(8), 1, 2, 3, 4, 5, 6, 7, 8);
    View y = own.zeros(8);
    own.backend.dropout(y, x, null, 0.75, 0, 0);
    own.assertElements(y, 4, 0, 12, 16, 0, 0, 28, 0);
  }

  @Test
  void anElementAtTheThresholdIsKept() {
    View x = t.of(shape(1), 1);
    View y = t.zeros(1);
    double bits = 0xe8d5; // of the first element
    t.backend.dropout(y, x, null, bits / 65536, 0, 0);
    t.assertElements(y, 65536 / (65536 - bits));
    t.backend.dropout(y, x, null, (bits + 1) / 65536, 0, 0);
    t.assertElements(y, 0);
  }

  @Test
  void theMaskIsAddressedBySeedStepLayerAndElement() {
    long seed = 0x123456789abcdefL;
    View x = t.of(shape(COUNT), Tensors.fill(COUNT, () -> 1));
    View step = t.zeros(DType.I64);
    t.memory(step).map().putLong(5);
    View y = t.zeros(COUNT);
    t.backend.dropout(y, x, step, 0.3, seed, -7);
    double[] expected = new double[COUNT];
    int[] words = new int[4];
    for (int i = 0; i < COUNT; i++) {
      Philox.block(seed, 5L << 32 | 0xfffffff9L, i / 8, words);
      long bits = Integer.toUnsignedLong(words[i % 8 / 2]) >> (i % 2 == 0 ? 0 : 16) & 0xffff;
      expected[i] = bits >= 19661 ? (float) (1 / 0.7) : 0; // 0.3 * 65536 = 19660.8
    }
    assertArrayEquals(expected, t.read(y));
  }

  @Test
  void theStepIsReadWhenItRuns() {
    View x = t.of(shape(COUNT), Tensors.fill(COUNT, () -> 1));
    View y = t.zeros(COUNT);
    View step = t.zeros(DType.I64);
    try (var program = t.backend.record(b -> b.dropout(y, x, step, 0.5, 1, 1))) {
      program.run();
      double[] first = t.read(y);
      t.memory(step).map().putLong(1);
      program.run();
      assertFalse(Arrays.equals(first, t.read(y)));
      t.memory(step).map().putLong(0);
      program.run();
      assertArrayEquals(first, t.read(y));
    }
  }

  @Test
  void withoutDropsItIsTheIdentityAndNearOneItDropsAll() {
    double[] values = Tensors.random(1, COUNT);
    View x = t.of(shape(COUNT), values);
    View y = t.zeros(COUNT);
    t.backend.dropout(y, x, null, 0, 1, 1);
    assertArrayEquals(t.read(x), t.read(y));
    t.backend.dropout(y, x, null, 1 - 1e-9, 1, 1);
    assertArrayEquals(new double[COUNT], t.read(y));
  }

  @Test
  void droppedNumbersAreZeroWhateverTheyWere() {
    View x = t.of(shape(8), Tensors.fill(8, () -> Double.NaN));
    View y = t.zeros(8);
    t.backend.dropout(y, x, null, 0.75, 0, 0);
    double nan = Double.NaN;
    t.assertElements(y, nan, 0, nan, nan, 0, 0, nan, 0);
  }

  @Test
  void worksInPlace() {
    View x = t.of(shape(COUNT), Tensors.random(1, COUNT));
    View y = t.zeros(COUNT);
    t.backend.dropout(y, x, null, 0.4, 3, 2);
    t.backend.dropout(x, x, null, 0.4, 3, 2);
    assertArrayEquals(t.read(y), t.read(x));
  }

  @Test
  void keepsTheMean() {
    int count = 100_000;
    View x = t.of(shape(count), Tensors.fill(count, () -> 1));
    t.backend.dropout(x, x, null, 0.2, 42, 1);
    // The standard deviation of the mean is sqrt(0.2 / 0.8 / count) = 0.0016.
    assertEquals(1, Arrays.stream(t.read(x)).average().orElseThrow(), 0.008);
  }
}
