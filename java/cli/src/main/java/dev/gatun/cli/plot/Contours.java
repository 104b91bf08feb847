package dev.gatun.cli.plot;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleBinaryOperator;

/// Lines of equal height of a function of two numbers: in each cell of a grid, the straight pieces
/// along which the linear interpolation between its corners has that height.
final class Contours {
  private static final int CELLS = 100; // along each axis

  private Contours() {}

  /// All levels as one curve, whose pieces are divided by gaps.
  static Curve of(DoubleBinaryOperator height, Axis across, Axis up, double... levels) {
    double[][] heights = new double[CELLS + 1][CELLS + 1];
    for (int i = 0; i <= CELLS; i++) {
      for (int j = 0; j <= CELLS; j++) {
        heights[i][j] = height.applyAsDouble(at(across, i), at(up, j));
      }
    }
    List<double[]> points = new ArrayList<>();
    for (double level : levels) {
      for (int i = 0; i < CELLS; i++) {
        for (int j = 0; j < CELLS; j++) {
          addPieces(points, heights, across, up, i, j, level);
        }
      }
    }
    double[] x = points.stream().mapToDouble(point -> point[0]).toArray();
    double[] y = points.stream().mapToDouble(point -> point[1]).toArray();
    return new Curve("", x, y, Curve.Style.CONTOUR);
  }

  private static double at(Axis axis, double index) {
    return axis.least() + (axis.greatest() - axis.least()) * index / CELLS;
  }

  /// Where the level crosses the sides of a cell, two by two: it crosses none, two or all four.
  private static void addPieces(
      List<double[]> points, double[][] heights, Axis across, Axis up, int i, int j, double level) {
    int[][] corners = {{i, j}, {i + 1, j}, {i + 1, j + 1}, {i, j + 1}};
    List<double[]> crossings = new ArrayList<>();
    for (int side = 0; side < 4; side++) {
      int[] from = corners[side];
      int[] to = corners[(side + 1) % 4];
      double first = heights[from[0]][from[1]] - level;
      double second = heights[to[0]][to[1]] - level;
      boolean below = first < 0;
      boolean nextBelow = second < 0;
      if (below != nextBelow) {
        double share = first / (first - second);
        crossings.add(
            new double[] {
              at(across, from[0] + share * (to[0] - from[0])),
              at(up, from[1] + share * (to[1] - from[1]))
            });
      }
    }
    for (int k = 0; k + 1 < crossings.size(); k += 2) {
      points.add(crossings.get(k));
      points.add(crossings.get(k + 1));
      points.add(new double[] {crossings.get(k + 1)[0], Double.NaN});
    }
  }
}
