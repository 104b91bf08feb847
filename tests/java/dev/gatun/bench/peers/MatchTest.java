package dev.gatun.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;

class MatchTest {
  private static final Work WORK = new Work.Sgemm(256);
  private static final float[] RIGHT = {100, 1, -2, 3};

  private final List<String> diary = new ArrayList<>();

  private FakeContender side(String name, double... times) {
    return new FakeContender(name, diary, RIGHT, times);
  }

  private static double unknown(Work.Roof roof) {
    return 0;
  }

  private static Statistics times(Match.Outcome outcome, String side) {
    return Objects.requireNonNull(outcome.times().get(side));
  }

  @Test
  void sidesTakeTurnsInEachRound() {
    Match.Outcome outcome =
        Match.play(WORK, List.of(side("a", 2, 4, 3), side("b", 5)), 3, 0.1, MatchTest::unknown);
    assertEquals(
        List.of("a prepare", "b prepare", "a", "b", "a", "b", "a", "b", "a release", "b release"),
        diary);
    assertEquals(3, times(outcome, "a").median());
    assertEquals(3, times(outcome, "a").samples());
    assertEquals(5, times(outcome, "b").median());
    assertEquals(Map.of(), outcome.absent());
  }

  @Test
  void theLimitIsMeasuredInEachRound() {
    double[] rates = {3e9, 1e9, 2e9};
    int[] asked = {0};
    ToDoubleFunction<Work.Roof> limits =
        roof -> {
          assertEquals(Work.Roof.F32, roof);
          return rates[asked[0]++];
        };
    Match.Outcome outcome = Match.play(WORK, List.of(side("a", 2)), 3, 0.1, limits);
    assertEquals(3, asked[0]);
    assertEquals(2e9, Objects.requireNonNull(outcome.limit()).median());
    assertNull(Match.play(WORK, List.of(side("a", 2)), 3, 0.1, MatchTest::unknown).limit());
  }

  @Test
  void aSlowSideIsMeasuredOnce() {
    Match.Outcome outcome =
        Match.play(WORK, List.of(side("a", 1), side("slow", 3.5)), 4, 0.1, MatchTest::unknown);
    assertEquals(1, times(outcome, "slow").samples());
    assertEquals(4, times(outcome, "a").samples());
  }

  @Test
  void whoCannotIsAbsentAndTheOthersGoOn() {
    Match.Outcome outcome =
        Match.play(
            WORK, List.of(side("a", 1), side("none"), side("b", 2)), 2, 0.1, MatchTest::unknown);
    assertEquals(Set.of("a", "b"), outcome.times().keySet());
    assertEquals(Map.of("none", "none cannot"), outcome.absent());
  }

  @Test
  void whoDiesInTheMiddleHasNoTime() {
    Match.Outcome outcome =
        Match.play(WORK, List.of(side("a", 1), side("mortal", 1, -1)), 3, 0.1, MatchTest::unknown);
    assertEquals(Set.of("a"), outcome.times().keySet());
    assertEquals(Map.of("mortal", "mortal died"), outcome.absent());
    assertEquals(3, times(outcome, "a").samples());
  }

  @Test
  void otherResultsDisqualify() {
    FakeContender wrong = new FakeContender("wrong", diary, new float[] {100, 1, -2, 3.1f}, 1);
    FakeContender count = new FakeContender("count", diary, new float[] {99, 1, -2, 3}, 1);
    FakeContender length = new FakeContender("length", diary, new float[] {100, 1}, 1);
    FakeContender nan = new FakeContender("nan", diary, new float[] {100, 1, Float.NaN, 3}, 1);
    FakeContender close = new FakeContender("close", diary, new float[] {100, 1, -2, 3.001f}, 1);
    Match.Outcome outcome =
        Match.play(
            WORK,
            List.of(side("a", 1), wrong, count, length, nan, close),
            1,
            0.1,
            MatchTest::unknown);
    assertEquals(Set.of("a", "close"), outcome.times().keySet());
    assertEquals(Set.of("wrong", "count", "length", "nan"), outcome.absent().keySet());
    assertTrue(outcome.absent().toString().contains("value 3 is 3.0, found 3.1"));
    assertTrue(diary.contains("wrong release"));
  }
}
