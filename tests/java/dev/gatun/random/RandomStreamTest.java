package dev.gatun.random;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RandomStreamTest {
  @Test
  void wordsAreThoseOfTheBlocksInOrder() {
    RandomStream random = new RandomStream(5, 9);
    int[] block = new int[4];
    for (int index = 0; index < 10; index++) {
      Philox.block(5, 9, index, block);
      for (int word : block) {
        assertEquals(word, random.nextInt());
      }
    }
  }

  @Test
  void skipToGoesToAnyWord() {
    int[] words = new int[50];
    RandomStream random = new RandomStream(5, 9);
    for (int i = 0; i < words.length; i++) {
      words[i] = random.nextInt();
    }
    for (int i = words.length - 1; i >= 0; i--) {
      random.skipTo(i);
      for (int j = i; j < words.length; j++) {
        assertEquals(words[j], random.nextInt());
      }
    }
    assertThrows(IllegalArgumentException.class, () -> random.skipTo(-1));
  }

  @Test
  void restartIsTheSameAsANewStream() {
    RandomStream used = new RandomStream(3, 1);
    used.nextGaussian(); // leaves a spare value and a half-used block behind
    used.restart(2);
    RandomStream fresh = new RandomStream(3, 2);
    for (int i = 0; i < 20; i++) {
      assertEquals(fresh.nextGaussian(), used.nextGaussian());
    }
  }

  @Test
  void boundedNumbersAreUniform() {
    RandomStream random = new RandomStream(1, 0);
    int bound = 12;
    int draws = 120_000;
    int[] counts = new int[bound];
    for (int i = 0; i < draws; i++) {
      counts[random.nextInt(bound)]++;
    }
    double chiSquare = 0;
    for (int count : counts) {
      chiSquare += Math.pow(count - draws / (double) bound, 2) / (draws / (double) bound);
    }
    assertTrue(chiSquare < 31.3, "chi-square, 11 degrees of freedom, p = 0.001: " + chiSquare);
  }

  @Test
  void aLargeBoundHasNoBias() {
    // Without rejection numbers below 2^30 would come twice as often as those above.
    RandomStream random = new RandomStream(1, 0);
    int bound = 3 << 29;
    int low = 0;
    int draws = 60_000;
    for (int i = 0; i < draws; i++) {
      int value = random.nextInt(bound);
      assertTrue(value >= 0 && value < bound);
      low += value < 1 << 29 ? 1 : 0;
    }
    assertEquals(draws / 3.0, low, 4 * Math.sqrt(draws * 2 / 9.0));
  }

  @Test
  void boundsAreChecked() {
    RandomStream random = new RandomStream(1, 0);
    assertThrows(IllegalArgumentException.class, () -> random.nextInt(0));
    assertThrows(IllegalArgumentException.class, () -> random.nextInt(-3));
    for (int i = 0; i < 10; i++) {
      assertEquals(0, random.nextInt(1));
    }
  }

  @Test
  void unitIntervalNumbers() {
    RandomStream random = new RandomStream(2, 0);
    double floats = 0;
    double doubles = 0;
    int draws = 100_000;
    for (int i = 0; i < draws; i++) {
      float single = random.nextFloat();
      double twice = random.nextDouble();
      assertTrue(single >= 0 && single < 1);
      assertTrue(twice >= 0 && twice < 1);
      floats += single;
      doubles += twice;
    }
    double tolerance = 4 / Math.sqrt(12.0 * draws);
    assertEquals(0.5, floats / draws, tolerance);
    assertEquals(0.5, doubles / draws, tolerance);
  }

  /// What is drawn lies so near to 1 that the sum is rounded up.
  @Test
  void numbersOfAnInterval_areBelowItsEnd() {
    RandomStream random = new RandomStream(2, 0);
    double low = 1e16; // the next one is 1e16 + 2
    for (int i = 0; i < 100; i++) {
      assertEquals(low, random.nextDouble(low, Math.nextUp(low)));
    }
    assertEquals(3, random.nextDouble(3, 3));
    assertThrows(IllegalArgumentException.class, () -> random.nextDouble(4, 3));
    assertThrows(IllegalArgumentException.class, () -> random.nextDouble(0, Double.NaN));
  }

  @Test
  void gaussianMoments() {
    RandomStream random = new RandomStream(3, 0);
    int draws = 200_000;
    double[] moments = new double[5];
    for (int i = 0; i < draws; i++) {
      double value = random.nextGaussian();
      for (int power = 1; power <= 4; power++) {
        moments[power] += Math.pow(value, power) / draws;
      }
    }
    assertEquals(0, moments[1], 0.01);
    assertEquals(1, moments[2], 0.02);
    assertEquals(0, moments[3], 0.05);
    assertEquals(3, moments[4], 0.15);
  }

  @Test
  void shuffleKeepsTheValuesAndReachesEveryOrder() {
    int[] values = IntStream.range(0, 1000).toArray();
    new RandomStream(4, 0).shuffle(values);
    assertTrue(values[0] != 0 || values[1] != 1);
    assertEquals(1000, Arrays.stream(values).distinct().count());

    int[] counts = new int[6];
    RandomStream random = new RandomStream(4, 1);
    for (int i = 0; i < 12_000; i++) {
      int[] three = {0, 1, 2};
      random.shuffle(three);
      counts[three[0] * 2 + (three[1] > three[2] ? 1 : 0)]++;
    }
    for (int count : counts) {
      assertEquals(2000, count, 170); // 4 standard deviations
    }
  }
}
