package dev.gatun.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds).
class PhiloxTest {
  @Test
  void zeros() {
    assertBlock(0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  }

  @Test
  void ones() {
    assertBlock(-1L, -1L, -1L, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  }

  @Test
  void digitsOfPi() {
    assertBlock(
        0x299f31d0a4093822L, // key a4093822 299f31d0
        0x0370734413198a2eL, // counter 243f6a88 85a308d3 13198a2e 03707344
        0x85a308d3243f6a88L,
        0xd16cfe09,
        0x94fdcceb,
        0x5001e420,
        0x24126ea1);
  }

  @Test
  void everyPartOfTheAddressMatters() {
    Set<Integer> firsts = new HashSet<>();
    int[] out = new int[4];
    for (int bit = 0; bit < 64; bit++) {
      Philox.block(1L << bit, 0, 0, out);
      firsts.add(out[0]);
      Philox.block(0, 1L << bit, 0, out);
      firsts.add(out[0]);
      Philox.block(0, 0, 1L << bit, out);
      firsts.add(out[0]);
    }
    assertEquals(3 * 64, firsts.size());
  }

  @Test
  void derivedSeedsDiffer() {
    assertNotEquals(Philox.derive(1, 0), Philox.derive(1, 1));
    assertNotEquals(Philox.derive(1, 0), Philox.derive(2, 0));
    assertEquals(Philox.derive(1, 7), Philox.derive(1, 7));
  }

  private static void assertBlock(long seed, long stream, long index, int... expected) {
    int[] out = new int[4];
    Philox.block(seed, stream, index, out);
    assertArrayEquals(expected, out);
  }
}
