package dev.gatun.cli.plot;

import static dev.gatun.cli.plot.Figures.assertFollows;
import static dev.gatun.cli.plot.Figures.curve;
import static dev.gatun.cli.plot.Figures.names;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Figures whose every point has a formula.
class FormulaFiguresTest {
  /// What σ (1 - σ) may be wrong by in single precision: the distance from 1 to the next number.
  private static final double ROUNDING = 0x1p-23;

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  private record Activation(DoubleUnaryOperator value, DoubleUnaryOperator slope) {}

  @Test
  void activations_areTheirFormulas() {
    Map<String, Activation> formulas = new LinkedHashMap<>();
    DoubleUnaryOperator steep = x -> sigmoid(x) * (1 - sigmoid(x));
    formulas.put("sigmoid", new Activation(FormulaFiguresTest::sigmoid, steep));
    formulas.put("tanh", new Activation(Math::tanh, x -> 1 - Math.tanh(x) * Math.tanh(x)));
    formulas.put("ReLU", new Activation(x -> Math.max(0, x), x -> x > 0 ? 1 : 0));
    formulas.put(
        "leaky ReLU (0.1)", new Activation(x -> Math.max(0.1 * x, x), x -> x > 0 ? 1 : 0.1));
    formulas.put(
        "ELU", new Activation(x -> x > 0 ? x : Math.expm1(x), x -> x > 0 ? 1 : Math.exp(x)));
    formulas.put(
        "SiLU", new Activation(x -> x * sigmoid(x), x -> sigmoid(x) + x * steep.applyAsDouble(x)));
    formulas.put(
        "softplus", new Activation(x -> Math.log1p(Math.exp(x)), FormulaFiguresTest::sigmoid));
    Figure figure = Figures.of(Plot.activations);
    assertEquals(List.copyOf(formulas.keySet()), names(figure, "Activations"));
    formulas.forEach(
        (name, activation) -> {
          assertFollows(activation.value(), curve(figure, "Activations", name), 1e-6);
          assertFollows(activation.slope(), curve(figure, "Slopes", name), 1e-6);
        });
    assertFollows(FormulaFiguresTest::sigmoid, curve(figure, "Sigmoid", "value"), 1e-6);
    assertFollows(steep, curve(figure, "Sigmoid", "slope"), 1e-6);
    Curve asked = curve(figure, "Sigmoid", "slope at -10, 0, 10");
    assertArrayEquals(new double[] {4.53958e-5, 0.25, 4.53958e-5}, asked.y(), ROUNDING);
    Curve fading = curve(figure, "Slope of the sigmoid", "slope");
    assertFollows(steep, fading, ROUNDING);
    assertFollows(x -> 1, ratioBelowZero(fading, steep), 1e-5);
  }

  /// y over the formula's, where the sigmoid is not rounded to nearly 1.
  private static Curve ratioBelowZero(Curve curve, DoubleUnaryOperator formula) {
    double[] x = DoubleStream.of(curve.x()).filter(v -> v < 0).toArray();
    double[] ratio =
        IntStream.range(0, x.length)
            .mapToDouble(i -> curve.y()[i] / formula.applyAsDouble(x[i]))
            .toArray();
    return Curve.line(curve.name(), x, ratio);
  }

  @Test
  void schedules_areTheirFormulas() {
    Figure figure = Figures.of(Plot.schedules);
    double tiny = 1e-12;
    assertFollows(
        t -> t < 30 ? 1 : t < 60 ? 0.1 : t < 90 ? 0.01 : 0.001,
        curve(figure, "Falling", "step decay at 30, 60, 90"),
        tiny);
    DoubleUnaryOperator cosine = share -> (1 + Math.cos(Math.PI * share)) / 2;
    assertFollows(t -> cosine.applyAsDouble(t / 100), curve(figure, "Falling", "cosine"), tiny);
    assertFollows(t -> 1 - t / 100, curve(figure, "Falling", "linear"), tiny);
    assertFollows(
        t -> Math.exp(-0.05 * t), curve(figure, "Falling", "exponential, k = 0.05"), tiny);
    assertFollows(t -> 1 / (1 + 0.1 * t), curve(figure, "Falling", "1 / t, k = 0.1"), tiny);
    assertFollows(t -> 1 / Math.sqrt(t + 1), curve(figure, "Falling", "1 / √t"), tiny);
    String rising = "Rising, or beginning anew";
    assertFollows(
        t -> t < 10 ? t / 10 : cosine.applyAsDouble((t - 10) / 90),
        curve(figure, rising, "warm-up, then cosine"),
        tiny);
    assertFollows(
        t -> Math.min((t + 1) / 10, Math.sqrt(10 / (t + 1))),
        curve(figure, rising, "warm-up, then 1 / √t"),
        tiny);
    assertFollows(
        t ->
            cosine.applyAsDouble(
                t < 14 ? t / 14 : t < 42 ? (t - 14) / 28 : t < 98 ? (t - 42) / 56 : (t - 98) / 112),
        curve(figure, rising, "cosine with restarts"),
        1e-9);
    double[] cycle = curve(figure, rising, "one cycle").y();
    assertEquals(0.04, cycle[0], tiny);
    assertEquals(1, DoubleStream.of(cycle).max().orElseThrow(), 1e-2);
    assertEquals(4e-6, cycle[99], 1e-9);
  }

  @Test
  void scalers_areTheirFormulas() {
    Figure figure = Figures.of(Plot.scalers);
    double[][] raw = {column(figure, "As they are", true), column(figure, "As they are", false)};
    for (int axis = 0; axis < 2; axis++) {
      boolean horizontal = axis == 0;
      double[] x = raw[axis];
      double mean = DoubleStream.of(x).average().orElseThrow();
      double deviation =
          Math.sqrt(DoubleStream.of(x).map(v -> (v - mean) * (v - mean)).average().orElseThrow());
      scaled(figure, "Standardised", horizontal, x, mean, deviation);
      double[] sorted = DoubleStream.of(x).sorted().toArray();
      double least = sorted[0];
      scaled(figure, "Min-max", horizontal, x, least, sorted[sorted.length - 1] - least);
      scaled(
          figure,
          "Robust: median and quartiles",
          horizontal,
          x,
          quantile(sorted, 0.5),
          quantile(sorted, 0.75) - quantile(sorted, 0.25));
    }
    // What the figure is for: min-max leaves the ordinary samples a tenth of the height, robust
    // scaling the unit that their quartiles span.
    double[] squeezed = DoubleStream.of(curve(figure, "Min-max", "samples").y()).sorted().toArray();
    assertTrue(squeezed[squeezed.length - 1] < 0.1, "up to " + squeezed[squeezed.length - 1]);
    double[] robust =
        DoubleStream.of(curve(figure, "Robust: median and quartiles", "samples").y())
            .sorted()
            .toArray();
    assertEquals(1, quantile(robust, 0.75) - quantile(robust, 0.25), 0.1);
  }

  private static void scaled(
      Figure figure, String panel, boolean horizontal, double[] x, double offset, double divisor) {
    double[] expected = DoubleStream.of(x).map(v -> (v - offset) / divisor).toArray();
    double[] found = column(figure, panel, horizontal);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 1e-5 * (1 + Math.abs(expected[i])), panel + " " + i);
    }
  }

  private static double[] column(Figure figure, String panel, boolean horizontal) {
    return DoubleStream.concat(
            values(curve(figure, panel, "samples"), horizontal),
            values(curve(figure, panel, "outliers"), horizontal))
        .toArray();
  }

  private static DoubleStream values(Curve curve, boolean horizontal) {
    return DoubleStream.of(horizontal ? curve.x() : curve.y());
  }

  private static double quantile(double[] sorted, double share) {
    double place = share * (sorted.length - 1);
    int below = (int) place;
    return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
  }
}
