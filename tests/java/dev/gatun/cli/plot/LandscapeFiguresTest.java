package dev.gatun.cli.plot;

import static dev.gatun.cli.plot.Figures.curve;
import static dev.gatun.cli.plot.Figures.last;
import static dev.gatun.cli.plot.Figures.panel;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/// Ways over landscapes are those of the formulas in double precision, and go where the lectures
/// say.
class LandscapeFiguresTest {
  /// Gradient descent, with momentum or without, in one coordinate.
  private static void follows(
      double[] found, double start, DoubleUnaryOperator slope, double rate, double momentum) {
    double p = start;
    double v = 0;
    for (int t = 0; t < found.length; t++) {
      assertEquals(p, found[t], 2e-3, "step " + t);
      v = momentum * v + slope.applyAsDouble(p);
      p -= rate * v;
    }
  }

  private static int turns(double[] y) {
    int turns = 0;
    for (int i = 1; i < y.length; i++) {
      turns += y[i] * y[i - 1] < 0 ? 1 : 0;
    }
    return turns;
  }

  private static double length(Curve way) {
    double length = 0;
    for (int i = 1; i < way.x().length; i++) {
      length += Math.hypot(way.x()[i] - way.x()[i - 1], way.y()[i] - way.y()[i - 1]);
    }
    return length;
  }

  @Test
  void momentum_rollsOn() {
    Figure figure = Figures.of(Plot.momentum);
    String heavy = "momentum 0.9";

    Curve stuck = curve(figure, "A local minimum", "SGD");
    Curve rolling = curve(figure, "A local minimum", heavy);
    DoubleUnaryOperator slope = x -> 4 * x * (x * x - 1) + 0.4;
    follows(stuck.x(), 1.7, slope, 0.01, 0);
    follows(rolling.x(), 1.7, slope, 0.01, 0.9);
    for (int i = 0; i < rolling.x().length; i++) {
      double x = rolling.x()[i];
      assertEquals((x * x - 1) * (x * x - 1) + 0.4 * x, rolling.y()[i], 1e-9);
    }
    assertEquals(0.9457, stuck.x()[150], 1e-3, "the shallow well");
    assertEquals(-1.0467, rolling.x()[150], 1e-2, "the deep well");

    double[] held = curve(figure, "A saddle", "SGD").y();
    double[] leaving = curve(figure, "A saddle", heavy).y();
    follows(held, 1e-3, y -> -2 * y, 0.02, 0);
    follows(leaving, 1e-3, y -> -2 * y, 0.02, 0.9);
    assertTrue(held.length == 71 && held[70] < 0.1, "held at " + held[70]);
    assertTrue(leaving.length < 71 && last(curve(figure, "A saddle", heavy)) > 1.1, "it leaves");

    Curve jumping = curve(figure, "Poor conditioning", "SGD");
    Curve damped = curve(figure, "Poor conditioning", heavy);
    follows(jumping.y(), 0.4, y -> 100 * y, 0.019, 0);
    follows(damped.x(), -4, x -> x, 0.019, 0.9);
    assertEquals(40, turns(jumping.y()), "from side to side at each step");
    assertTrue(turns(damped.y()) < 25, turns(damped.y()) + " turns");
    assertTrue(Math.abs(jumping.x()[40]) > 1.8 && Math.abs(damped.x()[40]) < 0.6);

    Curve rough = curve(figure, "Noise", "SGD");
    Curve smooth = curve(figure, "Noise", heavy);
    assertTrue(length(rough) > 2 * length(smooth), length(rough) + " to " + length(smooth));
    for (Curve way : new Curve[] {rough, smooth}) {
      int end = way.x().length - 1;
      assertTrue(Math.hypot(way.x()[end], way.y()[end]) < 1.5, way.name() + " arrives");
    }
  }

  /// Contours are where the function has their heights, to the curvature within a cell.
  @Test
  void contours_haveTheirHeights() {
    Axis across = Axis.linear("").within(-1, 1);
    Axis up = Axis.linear("").within(-2, 2);
    DoubleBinaryOperator saddle = (x, y) -> x * x - y * y;
    Curve lines = Contours.of(saddle, across, up, -1, 0.25);
    int low = 0;
    int high = 0;
    for (int i = 0; i < lines.x().length; i++) {
      if (!Double.isNaN(lines.y()[i])) {
        double height = saddle.applyAsDouble(lines.x()[i], lines.y()[i]);
        boolean first = Math.abs(height + 1) < 1e-3;
        assertTrue(first || Math.abs(height - 0.25) < 1e-3, "height " + height);
        low += first ? 1 : 0;
        high += first ? 0 : 1;
      }
    }
    assertTrue(low > 200 && high > 200, low + " and " + high + " points");
  }

  @Test
  void aCliff_throwsWhatIsNotClipped() {
    Figure figure = Figures.of(Plot.cliff);
    String ways = "Ways over the loss";
    Curve thrown = curve(figure, ways, "gradient descent");
    Curve clipped = curve(figure, ways, "clipped");
    double[] p = {5, -2.2};
    for (int t = 0; t < 3; t++) {
      assertEquals(p[0], thrown.x()[t], 1e-2, "step " + t);
      assertEquals(p[1], thrown.y()[t], 1e-2, "step " + t);
      double[] slope = slope(p[0], p[1]);
      p[0] -= 2 * slope[0];
      p[1] -= 2 * slope[1];
    }
    assertEquals(4, thrown.x().length, "the third step leads out of the picture");
    assertEquals(41, clipped.x().length);
    for (int i = 1; i < clipped.x().length; i++) {
      double step =
          Math.hypot(clipped.x()[i] - clipped.x()[i - 1], clipped.y()[i] - clipped.y()[i - 1]);
      assertTrue(step < 0.1 + 1e-4, "a step of " + step);
    }
    double[] lost = curve(figure, "Losses", "gradient descent").y();
    double[] kept = curve(figure, "Losses", "clipped").y();
    for (int i = 4; i < lost.length; i++) {
      assertEquals(lost[3], lost[i], 1e-3, "where all is flat");
    }
    assertTrue(lost[3] > 0.05, "thrown to " + lost[3]);
    double least = Arrays.stream(kept).skip(20).min().orElseThrow();
    assertTrue(least < 2e-3, "the least loss " + least);
    assertEquals(Curve.Style.CONTOUR, panel(figure, ways).curves().getFirst().style());
  }

  /// Of the loss by w and b, by the chain rule along the sequence.
  private static double[] slope(double w, double b) {
    double x = 0.5;
    double dw = 0;
    double db = 0;
    for (int t = 0; t < 50; t++) {
      double s = 1 / (1 + Math.exp(-x));
      dw = s + w * s * (1 - s) * dw;
      db = 1 + w * s * (1 - s) * db;
      x = w * s + b;
    }
    double s = 1 / (1 + Math.exp(-x));
    double outer = 2 * (s - 0.7) * s * (1 - s);
    return new double[] {outer * dw, outer * db};
  }
}
