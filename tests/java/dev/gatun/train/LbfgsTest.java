package dev.gatun.train;

import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.FullBatch;
import dev.gatun.Hessian;
import dev.gatun.Lbfgs;
import dev.gatun.Lbfgs.Ending;
import dev.gatun.Lbfgs.Minimum;
import dev.gatun.LineSearch;
import dev.gatun.LineSearch.Trial;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Objective;
import dev.gatun.ShapeException;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LbfgsTest {
  /// 100 (y - x²)² + (1 - x)².
  private static final Objective ROSENBROCK =
      (p, g) -> {
        double a = p[1] - p[0] * p[0];
        double b = 1 - p[0];
        g[0] = -400 * a * p[0] - 2 * b;
        g[1] = 200 * a;
        return 100 * a * a + b * b;
      };

  /// ½ (x² + 20 y²).
  static final Objective VALLEY =
      (p, g) -> {
        g[0] = p[0];
        g[1] = 20 * p[1];
        return 0.5 * (p[0] * p[0] + 20 * p[1] * p[1]);
      };

  /// The mean loss of a model on normal inputs with random labels.
  static FullBatch randomBatch(Model model, int examples, int classes) {
    int elements = Math.toIntExact(model.net().inputShape().count());
    return FullBatch.of(
        model,
        Loss.softmaxCrossEntropy(),
        Pictures.normal(examples * elements, 1),
        Pictures.labels(examples, classes, 2));
  }

  @Test
  void rosenbrock_takesFewerThanSixtySteps() {
    double[] start = {-1.2, 1};
    Minimum minimum = Lbfgs.of().minimize(ROSENBROCK, start);
    assertEquals(Ending.CONVERGED, minimum.ending());
    assertTrue(minimum.iterations() < 60, minimum.iterations() + " steps");
    assertTrue(minimum.value() < 1e-8, "value " + minimum.value());
    assertArrayEquals(new double[] {1, 1}, minimum.point(), 1e-6);
    assertArrayEquals(new double[] {-1.2, 1}, start, "the start is changed");
    assertTrue(minimum.evaluations() < 90, minimum.evaluations() + " evaluations");
  }

  @Test
  void backtracking_doesAsWell() {
    Minimum minimum =
        Lbfgs.of()
            .lineSearch(LineSearch.backtracking())
            .minimize(ROSENBROCK, new double[] {-1.2, 1});
    assertEquals(Ending.CONVERGED, minimum.ending());
    assertArrayEquals(new double[] {1, 1}, minimum.point(), 1e-6);
  }

  /// Without a history it is gradient descent, which needs no rate but many more steps.
  @Test
  void aHistoryOfZero_isGradientDescentWithALineSearch() {
    double[] start = {10, 1};
    Lbfgs descent = Lbfgs.of().history(0).iterations(400).tolerance(1e-6);
    Minimum slow = descent.lineSearch(LineSearch.backtracking()).minimize(VALLEY, start);
    Minimum fast = Lbfgs.of().tolerance(1e-6).minimize(VALLEY, start);
    assertEquals(Ending.CONVERGED, slow.ending());
    assertEquals(Ending.CONVERGED, fast.ending());
    assertTrue(
        2 * fast.iterations() < slow.iterations(),
        fast.iterations() + " steps against " + slow.iterations());
  }

  @Test
  void limits_areKept() {
    Minimum cut = Lbfgs.of().iterations(3).minimize(ROSENBROCK, new double[] {-1.2, 1});
    assertEquals(Ending.ITERATIONS_USED, cut.ending());
    assertEquals(3, cut.iterations());
    Minimum there = Lbfgs.of().minimize(VALLEY, new double[2]);
    assertEquals(Ending.CONVERGED, there.ending());
    assertEquals(0, there.iterations());
    Objective liar =
        (p, g) -> {
          g[0] = -1;
          return p[0];
        };
    assertEquals(Ending.NO_STEP, Lbfgs.of().minimize(liar, new double[1]).ending());
  }

  /// Reference R6 of the syllabus: for x² at 1 along -2, with c₁ = 10⁻⁴ and c₂ = 0.9, steps from
  /// 0.05 on to just below 1 fulfil the Wolfe conditions; the strong ones end at 0.95.
  @Test
  void wolfeConditions_acceptTheirInterval() {
    LineSearch.StrongWolfe wolfe = LineSearch.strongWolfe();
    Trial start = parabola(0);
    for (double step : new double[] {0.0501, 0.5, 0.9499}) {
      assertTrue(
          wolfe.acceptsWeakly(start, parabola(step)) && wolfe.accepts(start, parabola(step)));
    }
    assertTrue(wolfe.acceptsWeakly(start, parabola(0.999)));
    assertFalse(wolfe.accepts(start, parabola(0.96)));
    for (double step : new double[] {0.0499, 1, 1.5}) {
      assertFalse(wolfe.acceptsWeakly(start, parabola(step)), "step " + step);
    }
  }

  private static Trial parabola(double step) {
    double x = 1 - 2 * step;
    return new Trial(step, x * x, -4 * x);
  }

  /// From first steps that are far too short or long.
  @Test
  void strongWolfe_findsAStepThatItAccepts() {
    LineSearch.StrongWolfe wolfe = new LineSearch.StrongWolfe(1e-4, 0.1, 50);
    for (double first : new double[] {1e-4, 0.3, 1, 100}) {
      Trial found = wolfe.search(parabola(0), first, LbfgsTest::parabola);
      assertTrue(found != null && wolfe.accepts(parabola(0), found), "first " + first);
    }
    Trial halved = LineSearch.backtracking().search(parabola(0), 1.6, LbfgsTest::parabola);
    assertTrue(halved != null && halved.step() == 0.8);
  }

  /// Softmax regression with a penalty of its own making, over the whole set: the gradient
  /// vanishes, without any rate, and as far as single precision goes.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void fullBatch_convergesWithoutARate(Backends backend) {
    Net net = Net.input(5).dense(3);
    float[] inputs = Pictures.normal(200 * 5, 1);
    int[] labels = Pictures.labels(200, 3, 2); // noise: the optimum is finite
    try (Model model = Model.of(net, backend.device(), 1);
        FullBatch objective = FullBatch.of(model, Loss.softmaxCrossEntropy(), inputs, labels)) {
      double[] start = objective.parameters();
      double[] gradient = new double[start.length];
      double before = objective.valueAndGradient(start, gradient);
      Minimum minimum = Lbfgs.of().tolerance(1e-3).minimize(objective, start);
      assertEquals(Ending.CONVERGED, minimum.ending());
      assertTrue(minimum.iterations() < 40, minimum.iterations() + " steps");
      assertTrue(minimum.value() < before && minimum.value() < Math.log(3));
      objective.valueAndGradient(minimum.point(), gradient);
      for (double slope : gradient) {
        assertEquals(0, slope, 1e-3);
      }
      // Convex: another start ends at the same loss.
      double[] other = new double[start.length];
      assertEquals(
          minimum.value(), Lbfgs.of().tolerance(1e-3).minimize(objective, other).value(), 1e-5);
    }
  }

  /// Finite differences along each parameter.
  @Test
  void fullBatch_isTheMeanLossOfTheModel() {
    Net net = Net.input(4).dense(3).batchNorm().tanh().dense(2);
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1);
        FullBatch objective = randomBatch(model, 10, 2)) {
      double[] point = objective.parameters();
      double[] gradient = new double[point.length];
      objective.valueAndGradient(point, gradient);
      double[] unused = new double[point.length];
      for (int i = 0; i < point.length; i++) {
        double at = point[i];
        point[i] = at + 1e-2;
        double above = objective.valueAndGradient(point, unused);
        point[i] = at - 1e-2;
        double below = objective.valueAndGradient(point, unused);
        point[i] = at;
        assertEquals((above - below) / 2e-2, gradient[i], 2e-3, "parameter " + i);
      }
    }
  }

  @Test
  void badInput_isRefused() {
    refused("[lbfgs] expected at least 1 iteration, found 0.0", () -> Lbfgs.of().iterations(0));
    refused("[lbfgs] expected a history of at least 0, found -1.0", () -> Lbfgs.of().history(-1));
    refused(
        "[lbfgs] expected a finite value at the start, found NaN",
        () -> Lbfgs.of().minimize((p, g) -> Double.NaN, new double[1]));
    refused(
        "[strongWolfe] expected c1 in (0, c2), found 0.9",
        () -> new LineSearch.StrongWolfe(0.9, 0.1, 10));
    refused(
        "[backtracking] expected a factor in (0, 1), found 1.0",
        () -> new LineSearch.Backtracking(1e-4, 1, 10));
    try (Model model =
        Model.of(Net.input(2).dropout(0.5).dense(2), Backends.REFERENCE.device(), 1)) {
      refused(
          "[fullBatch] dropout0: dropout makes the loss noisy; leave it out",
          () -> FullBatch.of(model, Loss.softmaxCrossEntropy(), new float[4], new int[2]));
      String found =
          message(
              ShapeException.class,
              () -> FullBatch.of(model, Loss.softmaxCrossEntropy(), new float[3], new int[2]));
      assertEquals("[fullBatch] expected 2 inputs (2) (4 elements), found 3 elements", found);
      refused(
          "[fullBatch] expected labels below 2, found 2 for input 1",
          () -> FullBatch.of(model, Loss.softmaxCrossEntropy(), new float[4], new int[] {0, 2}));
    }
  }

  /// Also where the last thing tried was another point: a trial that was refused, or one of the two
  /// beside a point whose differences give a product.
  @Test
  void theModelHoldsWhatWasFound() {
    Net net = Net.input(4).dense(3).batchNorm().dense(2);
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1);
        FullBatch objective = randomBatch(model, 10, 2)) {
      double[] start = objective.parameters();
      LineSearch refuses = new LineSearch.Backtracking(0.9999, 0.5, 1);
      Minimum minimum = Lbfgs.of().lineSearch(refuses).minimize(objective, start);
      assertEquals(Ending.NO_STEP, minimum.ending());
      assertArrayEquals(minimum.point(), objective.parameters());
      double[] vector = new double[start.length];
      Arrays.fill(vector, 1);
      Hessian.of(objective, start).times(vector);
      assertArrayEquals(start, objective.parameters());
    }
  }

  @Test
  void vectorsOfAnotherLength_areRefused() {
    try (Model model = Model.of(Net.input(2).dense(2), Backends.REFERENCE.device(), 1);
        FullBatch objective = randomBatch(model, 10, 2)) {
      double[] right = new double[6];
      refused(
          "[fullBatch] expected a point of 6 elements, one for each parameter, found 5",
          () -> objective.valueAndGradient(new double[5], right));
      refused(
          "[fullBatch] expected a gradient of 6 elements, one for each parameter, found 7",
          () -> objective.valueAndGradient(right, new double[7]));
      refused(
          "[fullBatch] expected a point of 6 elements, one for each parameter, found 7",
          () -> objective.hessianVector(new double[7], right, right));
      refused(
          "[fullBatch] expected a vector of 6 elements, one for each parameter, found 7",
          () -> objective.hessianVector(right, new double[7], right));
      refused(
          "[fullBatch] expected a product of 6 elements, one for each parameter, found 7",
          () -> objective.hessianVector(right, right, new double[7]));
    }
  }
}
