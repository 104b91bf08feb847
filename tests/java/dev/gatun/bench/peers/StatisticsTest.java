package dev.gatun.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class StatisticsTest {
  @Test
  void medianAndSpreadOfOddCounts() {
    Statistics statistics = Statistics.of(5, 1, 4, 2, 3);
    assertEquals(3, statistics.median());
    assertEquals(2.0 / 3, statistics.spread(), 1e-12);
    assertEquals(5, statistics.samples());
  }

  @Test
  void quartilesLieBetweenNeighbours() {
    Statistics statistics = Statistics.of(1, 2, 3, 4);
    assertEquals(2.5, statistics.median());
    assertEquals((3.25 - 1.75) / 2.5, statistics.spread(), 1e-12);
  }

  @Test
  void oneTimeHasNoSpread() {
    assertEquals(new Statistics(7, 0, 1), Statistics.of(7));
  }

  @Test
  void noTimesAreRefused() {
    assertThrows(IllegalArgumentException.class, Statistics::of);
  }
}
