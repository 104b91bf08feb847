package dev.gatun.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.search.Parameter.Edge;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// Ranges: what is drawn from them, grids on them, and how they narrow.
class ParameterTest {
  private static final Parameter<Double> RATE = Parameter.logUniform("lr", 1e-4, 1e-1);
  private static final Parameter<Double> SHARE = Parameter.uniform("dropout", 0.1, 0.5);
  private static final Parameter<Integer> LAYERS = Parameter.whole("layers", 2, 5);
  private static final Parameter<String> UPDATE = Parameter.choice("update", "sgd", "adam", "lion");

  @Test
  void places_areTheEndsAndWhatLiesBetween() {
    assertEquals(0.1, SHARE.at(0));
    assertEquals(0.3, SHARE.at(0.5), 1e-15);
    assertEquals(0.5, SHARE.at(1));
    assertEquals(1e-4, RATE.at(0));
    assertEquals(Math.sqrt(1e-4 * 1e-1), RATE.at(0.5), 1e-15);
    assertEquals(1e-1, RATE.at(1));
    for (double place : new double[] {0, 0.2, 0.77, 1}) {
      assertEquals(place, RATE.place(RATE.at(place)), 1e-14);
      assertEquals(place, SHARE.place(SHARE.at(place)), 1e-14);
    }
  }

  /// Each whole number and each choice has its equal share of the places.
  @Test
  void wholeNumbers_andChoices_areEquallyLikely() {
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      numbers.add(LAYERS.at((i + 0.5) / 12));
    }
    assertEquals(List.of(2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5), numbers);
    assertEquals(5, LAYERS.at(1));
    assertEquals(
        Integer.MAX_VALUE, Parameter.whole("n", Integer.MIN_VALUE, Integer.MAX_VALUE).at(1));
    List<String> choices = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      choices.add(UPDATE.at((i + 0.5) / 6));
    }
    assertEquals(List.of("sgd", "sgd", "adam", "adam", "lion", "lion"), choices);
  }

  @Test
  void grids_haveTheEnds_andEqualDistances() {
    List<Double> rates = RATE.grid(4);
    for (int i = 0; i < 4; i++) {
      assertEquals(Math.pow(10, i - 4), rates.get(i), 1e-15);
    }
    assertEquals(List.of(0.1, 0.5), SHARE.grid(2));
    assertEquals(List.of(2, 4, 5), LAYERS.grid(3));
    assertEquals(List.of(2, 3, 4, 5), LAYERS.grid(100), "no number twice");
    assertEquals(List.of("sgd", "adam", "lion"), UPDATE.grid(2));
  }

  /// A twentieth of the width more on both sides: of three decades 0.15.
  @Test
  void around_isALittleWiderThanTheValues_andStaysWithinTheLimits() {
    Parameter<Double> narrow = RATE.around(List.of(3e-3, 1e-3, 2e-3), RATE);
    assertEquals(1e-3 * Math.pow(10, -0.15), narrow.at(0), 1e-15);
    assertEquals(3e-3 * Math.pow(10, 0.15), narrow.at(1), 1e-15);
    Parameter<Double> moved = narrow.around(List.of(narrow.at(1)), RATE);
    assertEquals(narrow.at(1) * Math.pow(10, 0.05 * (0.3 + Math.log10(3))), moved.at(1), 1e-12);
    assertEquals(1e-1, RATE.around(List.of(0.09), RATE).at(1), "not beyond the limits");

    Parameter<Double> shares = SHARE.around(List.of(0.2, 0.3), SHARE);
    assertEquals(0.18, shares.at(0), 1e-15);
    assertEquals(0.32, shares.at(1), 1e-15);
    assertEquals(Parameter.whole("layers", 3, 5), LAYERS.around(List.of(4), LAYERS));
    assertEquals(
        Parameter.choice("update", "sgd", "lion"),
        UPDATE.around(List.of("lion", "sgd", "lion"), UPDATE));
  }

  /// The lectures' worrying example: the best of rates from 1e-4 to 1e-3 is 9.471549e-04.
  @Test
  void edges_areWithinATwentiethOfTheEnds() {
    Parameter<Double> lectures = Parameter.logUniform("lr", 1e-4, 1e-3);
    assertEquals(Edge.UPPER, lectures.edge(9.471549e-04));
    assertEquals(Edge.LOWER, lectures.edge(1.1e-4));
    assertNull(lectures.edge(4e-4));
    assertEquals(Edge.LOWER, SHARE.edge(0.1));
    assertNull(SHARE.edge(0.13));
    assertEquals(Edge.UPPER, LAYERS.edge(5));
    assertNull(LAYERS.edge(4));
    assertNull(Parameter.whole("n", 3, 3).edge(3), "there is nothing to choose");
    assertNull(UPDATE.edge("sgd"), "choices have no order");
  }

  @Test
  void words_areThoseOfTheLectures() {
    assertEquals("1.405206e-04", RATE.format(1.405206e-04));
    assertEquals("1.000000e-04 to 1.000000e-01", RATE.range());
    assertEquals("0.100000 to 0.500000", SHARE.range());
    assertEquals("2 to 5", LAYERS.range());
    assertEquals("sgd, adam, lion", UPDATE.range());
  }

  @Test
  void emptyRanges_areRefused() {
    refused(
        "[search] lr: expected 0 < low < high, found 0.0 and 1.0",
        () -> Parameter.logUniform("lr", 0, 1));
    refused(
        "[search] lr: expected 0 < low < high, found 1.0 and Infinity",
        () -> Parameter.logUniform("lr", 1, Double.POSITIVE_INFINITY));
    refused(
        "[search] x: expected low < high, found 1.0 and 1.0", () -> Parameter.uniform("x", 1, 1));
    refused(
        "[search] x: expected low < high, found NaN and 1.0",
        () -> Parameter.uniform("x", Double.NaN, 1));
    refused(
        "[search] n: expected low <= high, found 3.0 and 2.0", () -> Parameter.whole("n", 3, 2));
    refused(
        "[search] c: expected values that differ, found [a, a]",
        () -> Parameter.choice("c", "a", "a"));
    refused(
        "[search] c: expected values that differ, found []", () -> Parameter.<String>choice("c"));
    refused("[search] a parameter needs a name", () -> Parameter.uniform(" ", 0, 1));
    refused("[search] expected at least 2 points of each parameter, found 1", () -> RATE.grid(1));
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
