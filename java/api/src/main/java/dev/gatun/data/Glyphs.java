package dev.gatun.data;

import java.util.ArrayList;
import java.util.List;

/// The shapes of the characters 0-9 and A-Z as strokes, our own, so that no installed font matters.
///
/// A stroke is a path in a box of 8 x 12, y downwards: `M x y` begins one, `L x y` goes on
/// straight, `C cx cy x y` goes on along a quarter of an oval that would have its corner at `(cx,
/// cy)`. Where a character has several shapes in use they are separated by `|`. Characters that are
/// easily taken for each other are kept apart: 0 has a slash or a dot, I and 1 have their bars, Z
/// has a bar, B has feet.
final class Glyphs {
  static final String CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static final double WIDTH = 8;
  static final double HEIGHT = 12;

  private static final String[] PATHS = {
    "M4 0C7.2 0 7.2 6C7.2 12 4 12C.8 12 .8 6C.8 0 4 0M2.4 9L5.6 3"
        + "|M4 0C7.2 0 7.2 6C7.2 12 4 12C.8 12 .8 6C.8 0 4 0M4 5.7L4 6.3",
    "M1.6 3L4.4 0L4.4 12M1.6 12L7 12|M1.6 3.4L4.8 0L4.8 12",
    "M.4 3.6C.4 0 4 0C7.6 0 7.6 3.4C7.6 5.6 4.6 7.6L.2 12L7.8 12"
        + "|M.4 3C.6 0 4 0C7.8 0 7.8 3.2C7.8 6.4 4 7.4C.4 8.4 .4 12L7.8 12",
    "M.6 2C1.4 0 4 0C7.4 0 7.4 3C7.4 5.7 3.4 5.7M4 5.7C7.8 5.7 7.8 8.8C7.8 12 4 12C1 12 .2 9.8"
        + "|M.6 0L7.2 0L3.4 5C7.8 5 7.8 8.4C7.8 12 4 12C1 12 .2 9.8",
    "M6 12L6 0L.2 8.6L8 8.6|M1.6 0L.6 7.4L8 7.4M6.2 3.6L6.2 12",
    "M7.4 0L1.2 0L.8 5.6C2 4.6 4 4.6C7.8 4.6 7.8 8.2C7.8 12 3.8 12C1 12 .2 10.2",
    "M7 1C6 0 4.6 0C.2 0 .2 7.4C.2 12 4 12C7.8 12 7.8 8.4C7.8 5 4.2 5C.9 5 .3 8"
        + "|M6 0C.2 3.6 .2 8C.2 12 4 12C7.8 12 7.8 8.4C7.8 5.2 4 5.2C1.2 5.2 .4 7.4",
    "M.2 0L7.8 0L3 12|M.2 0L7.8 0L3.4 12M2.2 6L7 6",
    "M4 0C7.3 0 7.3 3C7.3 5.8 4 5.8C.7 5.8 .7 3C.7 0 4 0"
        + "M4 5.8C7.9 5.8 7.9 9C7.9 12 4 12C.1 12 .1 9C.1 5.8 4 5.8",
    "M1 11C2 12 3.4 12C7.8 12 7.8 4.6C7.8 0 4 0C.2 0 .2 3.6C.2 7 3.8 7C7.1 7 7.7 4"
        + "|M2 12C7.8 8.4 7.8 4C7.8 0 4 0C.2 0 .2 3.6C.2 6.8 4 6.8C6.8 6.8 7.6 4.6",
    "M0 12L4 0L8 12M1.5 7.8L6.5 7.8|M.2 12L.2 4C.2 0 4 0C7.8 0 7.8 4L7.8 12M.2 7.4L7.8 7.4",
    "M-.6 0L4 0C7.2 0 7.2 3C7.2 5.8 4 5.8L1 5.8M4 5.8C7.9 5.8 7.9 9C7.9 12 4 12L-.6 12M1 0L1 12",
    "M7.8 2.8C7.2 0 4.2 0C.2 0 .2 6C.2 12 4.2 12C7.2 12 7.8 9.2",
    "M-.4 0L3 0C7.8 0 7.8 6C7.8 12 3 12L-.4 12M1 0L1 12",
    "M7.4 0L.6 0L.6 12L7.4 12M.6 6L6 6",
    "M7.4 0L.6 0L.6 12M.6 6L6 6",
    "M7.6 2.6C7 0 4.2 0C.2 0 .2 6C.2 12 4.2 12C7.8 12 7.8 9L7.8 6.8L4.4 6.8",
    "M.2 0L.2 12M7.8 0L7.8 12M.2 6L7.8 6",
    "M4 0L4 12M1.4 0L6.6 0M1.4 12L6.6 12",
    "M2.6 0L7.6 0M6.2 0L6.2 8.4C6.2 12 3 12C.2 12 .2 8.8|M6.6 0L6.6 8.4C6.6 12 3.4 12C.4 12 .4 8.8",
    "M.4 0L.4 12M7.6 0L.4 7M3.2 4.4L7.8 12",
    "M.8 0L.8 12L7.6 12",
    "M-.2 12L.2 0L4 7.6L7.8 0L8.2 12|M-.4 12L.8 0L4 9L7.2 0L8.4 12",
    "M.2 12L.2 0L7.8 12L7.8 0",
    "M4 0C8.4 0 8.4 6C8.4 12 4 12C-.4 12 -.4 6C-.4 0 4 0",
    "M.6 12L.6 0L4 0C7.8 0 7.8 3.5C7.8 7 4 7L.6 7",
    "M4 0C8.4 0 8.4 6C8.4 12 4 12C-.4 12 -.4 6C-.4 0 4 0M5 8.4L8.6 12.8"
        + "|M4 0C8.4 0 8.4 6C8.4 12 4 12C-.4 12 -.4 6C-.4 0 4 0M3.8 10.4L4.6 13.2L7.4 13.2",
    "M.6 12L.6 0L4 0C7.6 0 7.6 3.4C7.6 6.6 4 6.6L.6 6.6M4 6.6L7.8 12",
    "M7.4 2.4C7 0 4 0C.4 0 .4 3C.4 5.2 4 5.9C7.7 6.6 7.7 9C7.7 12 4 12C.7 12 .2 9.4",
    "M-.2 0L8.2 0M4 0L4 12",
    "M.2 0L.2 8C.2 12 4 12C7.8 12 7.8 8L7.8 0",
    "M0 0L4 12L8 0",
    "M-.8 0L1.8 12L4 4L6.2 12L8.8 0|M-.6 0L.8 12L4 5L7.2 12L8.6 0",
    "M.2 0L7.8 12M7.8 0L.2 12",
    "M0 0L4 6.2L8 0M4 6.2L4 12",
    "M.4 0L7.6 0L.4 12L7.6 12M2.2 6L5.8 6",
  };

  /// Shapes of each character, each a list of its elements.
  private static final List<List<List<Element>>> SHAPES = parseAll();

  private Glyphs() {}

  /// One piece of a path.
  ///
  /// @param kind `M`, `L` or `C`
  /// @param cx corner of a curve, else 0
  /// @param cy corner of a curve, else 0
  /// @param x where the piece ends
  /// @param y where the piece ends
  record Element(char kind, double cx, double cy, double x, double y) {}

  /// The number of shapes that a character has.
  static int shapes(int character) {
    return SHAPES.get(character).size();
  }

  /// The elements of one shape of a character.
  static List<Element> shape(int character, int shape) {
    return SHAPES.get(character).get(shape);
  }

  private static List<List<List<Element>>> parseAll() {
    List<List<List<Element>>> all = new ArrayList<>();
    for (String path : PATHS) {
      List<List<Element>> shapes = new ArrayList<>();
      int begin = 0;
      for (int bar = path.indexOf('|'); bar >= 0; bar = path.indexOf('|', begin)) {
        shapes.add(parse(path.substring(begin, bar)));
        begin = bar + 1;
      }
      shapes.add(parse(path.substring(begin)));
      all.add(List.copyOf(shapes));
    }
    return List.copyOf(all);
  }

  private static List<Element> parse(String path) {
    List<Element> elements = new ArrayList<>();
    int at = 0;
    while (at < path.length()) {
      char kind = path.charAt(at++);
      double[] numbers = new double[kind == 'C' ? 4 : 2];
      for (int i = 0; i < numbers.length; i++) {
        int end = at;
        while (end < path.length() && "MLC ".indexOf(path.charAt(end)) < 0) {
          end++;
        }
        numbers[i] = Double.parseDouble(path.substring(at, end));
        at = end < path.length() && path.charAt(end) == ' ' ? end + 1 : end;
      }
      elements.add(
          kind == 'C'
              ? new Element(kind, numbers[0], numbers[1], numbers[2], numbers[3])
              : new Element(kind, 0, 0, numbers[0], numbers[1]));
    }
    return List.copyOf(elements);
  }
}
