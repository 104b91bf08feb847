package dev.gatun.cli.plot;

import static dev.gatun.cli.plot.Figures.curve;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.random.RandomStream;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Paths in the valley are those of the optimizers' formulas in double precision, and contour lines
/// are where the valley is as high as they say.
class ValleyFigureTest {
  private static final Figure FIGURE = Figures.of(Plot.valley);
  private static final double[] CURVATURE = {1, 20};
  private static final double[] START = {-4, 1};

  /// A rule for one number: by how much it is changed for this gradient at step t, from 1.
  private interface Rule {
    double change(double gradient, int t);
  }

  private interface Rules {
    Rule begin();
  }

  private static void follows(String panel, String name, Rules rules) {
    Curve path = curve(FIGURE, panel, name);
    double[][] found = {path.x(), path.y()};
    for (int axis = 0; axis < 2; axis++) {
      Rule rule = rules.begin();
      double p = START[axis];
      for (int t = 0; t < found[axis].length; t++) {
        assertEquals(p, found[axis][t], 1e-3, name + ", step " + t);
        p += rule.change(CURVATURE[axis] * p, t + 1);
      }
    }
  }

  /// p (1 - rate · curvature)ᵗ, which grows above the rate 2 / 20.
  @Test
  void gradientDescent_isAPowerOfItsStep() {
    for (double rate : new double[] {0.01, 0.05, 0.095, 0.101}) {
      follows("Gradient descent", "rate " + rate, () -> (g, t) -> -rate * g);
    }
    double[] stable = curve(FIGURE, "Gradient descent", "rate 0.095").y();
    double[] unstable = curve(FIGURE, "Gradient descent", "rate 0.101").y();
    assertEquals(Math.pow(0.9, 40), Math.abs(stable[40]), 1e-3);
    assertEquals(Math.pow(1.02, 40), Math.abs(unstable[40]), 1e-2);
  }

  @Test
  void momentum_followsItsFormula() {
    double rate = 0.02;
    follows("Momentum", "SGD", () -> (g, t) -> -rate * g);
    for (boolean ahead : new boolean[] {false, true}) {
      follows(
          "Momentum",
          ahead ? "Nesterov 0.9" : "momentum 0.9",
          () ->
              new Rule() {
                private double v;

                @Override
                public double change(double g, int t) {
                  v = 0.9 * v + g;
                  return -rate * (ahead ? g + 0.9 * v : v);
                }
              });
    }
  }

  @Test
  void adaptiveRules_followTheirFormulas() {
    follows(
        "Adaptive rules",
        "AdaGrad",
        () ->
            new Rule() {
              private double r;

              @Override
              public double change(double g, int t) {
                r += g * g;
                return -0.4 * g / (Math.sqrt(r) + 1e-8);
              }
            });
    follows(
        "Adaptive rules",
        "RMSProp",
        () ->
            new Rule() {
              private double r;

              @Override
              public double change(double g, int t) {
                r = 0.9 * r + 0.1 * g * g;
                return -0.1 * g / (Math.sqrt(r) + 1e-8);
              }
            });
    follows(
        "Adaptive rules",
        "Adam",
        () ->
            new Rule() {
              private double m;
              private double v;

              @Override
              public double change(double g, int t) {
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g * g;
                double mean = m / (1 - Math.pow(0.9, t));
                return -0.2 * mean / (Math.sqrt(v / (1 - Math.pow(0.999, t))) + 1e-8);
              }
            });
    follows(
        "Adaptive rules",
        "Lion",
        () ->
            new Rule() {
              private double m;

              @Override
              public double change(double g, int t) {
                double step = -0.1 * Math.signum(0.9 * m + 0.1 * g);
                m = 0.99 * m + 0.01 * g;
                return step;
              }
            });
  }

  /// The noise of minibatches is added to the gradient; it keeps the path from coming to rest.
  @Test
  void minibatches_addNoise() {
    Curve noisy = curve(FIGURE, "Batch and minibatches", "minibatches");
    RandomStream random = new RandomStream(1, 0);
    double[] p = START.clone();
    for (int t = 0; t < noisy.x().length; t++) {
      assertEquals(p[0], noisy.x()[t], 1e-3, "step " + t);
      assertEquals(p[1], noisy.y()[t], 1e-3, "step " + t);
      for (int axis = 0; axis < 2; axis++) {
        p[axis] -= 0.03 * (CURVATURE[axis] * p[axis] + 3 * random.nextGaussian());
      }
    }
    follows("Batch and minibatches", "batch", () -> (g, t) -> -0.03 * g);
    double rest = 0;
    for (int t = 41; t <= 80; t++) {
      rest += Math.abs(noisy.y()[t]) / 40;
    }
    assertTrue(rest > 0.03, "noise moves it by " + rest);
    assertEquals(0, curve(FIGURE, "Batch and minibatches", "batch").y()[80], 1e-4);
  }

  @Test
  void contours_areOfEqualHeight() {
    for (Panel panel : FIGURE.panels()) {
      Curve contours = panel.curves().getFirst();
      assertEquals(Curve.Style.CONTOUR, contours.style());
      double height = 0.5 * (START[0] * START[0] + 20 * START[1] * START[1]);
      int lines = 1;
      for (int i = 0; i < contours.x().length; i++) {
        double x = contours.x()[i];
        double y = contours.y()[i];
        if (Double.isNaN(y)) {
          height /= 2;
          lines++;
        } else {
          assertEquals(height, 0.5 * (x * x + 20 * y * y), 1e-9 * height);
        }
      }
      assertEquals(10, lines, "nine, each followed by a gap");
    }
    assertEquals(
        List.of("Gradient descent", "Batch and minibatches", "Momentum", "Adaptive rules"),
        FIGURE.panels().stream().map(Panel::title).toList());
  }
}
