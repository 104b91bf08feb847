package dev.gatun.data;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/// Characters (Unicode code points) numbered from 0 on, in the order of their code points: the
/// tokens of character models. A model's file does not hold its alphabet; what keeps it is a string
/// of its characters, from which [#of] makes the same one again. Immutable.
public final class Alphabet {
  private final int[] codePoints;
  private final Map<Integer, Integer> places = new HashMap<>();

  private Alphabet(int[] codePoints) {
    this.codePoints = codePoints;
    for (int i = 0; i < codePoints.length; i++) {
      places.put(codePoints[i], i);
    }
  }

  /// The characters that `text` has.
  ///
  /// @throws IllegalArgumentException when it is empty
  public static Alphabet of(String text) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException("[alphabet] expected at least one character");
    }
    return new Alphabet(text.codePoints().distinct().sorted().toArray());
  }

  /// How many characters there are.
  public int size() {
    return codePoints.length;
  }

  /// The numbers of the characters of `text`.
  ///
  /// @throws IllegalArgumentException when one is not in the alphabet
  public int[] encode(String text) {
    return text.codePoints().map(this::place).toArray();
  }

  /// The text of which these are the numbers.
  ///
  /// @throws IndexOutOfBoundsException when one is not in `[0, size())`
  public String decode(int... tokens) {
    int[] points = Arrays.stream(tokens).map(token -> codePoints[token]).toArray();
    return new String(points, 0, points.length);
  }

  private int place(int codePoint) {
    Integer place = places.get(codePoint);
    if (place == null) {
      throw new IllegalArgumentException(
          "[alphabet] the character U+%04X is not among the %d known ones"
              .formatted(codePoint, codePoints.length));
    }
    return place;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Alphabet alphabet && Arrays.equals(codePoints, alphabet.codePoints);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(codePoints);
  }

  @Override
  public String toString() {
    return decode(IntStream.range(0, size()).toArray());
  }
}
