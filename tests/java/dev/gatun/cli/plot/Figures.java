package dev.gatun.cli.plot;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/// Finds what a figure shows.
final class Figures {
  private static final Map<Plot, Figure> COMPUTED = new EnumMap<>(Plot.class);

  private Figures() {}

  /// Of seed 1 on the CPU, computed once.
  static synchronized Figure of(Plot plot) {
    Backends.requireNative();
    return COMPUTED.computeIfAbsent(plot, wanted -> wanted.figure(Backends.CPU.device(), 1));
  }

  static Panel panel(Figure figure, String title) {
    return figure.panels().stream()
        .filter(panel -> panel.title().equals(title))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no panel " + title));
  }

  static Curve curve(Figure figure, String panel, String name) {
    return panel(figure, panel).curves().stream()
        .filter(curve -> curve.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no curve " + name + " in " + panel));
  }

  static List<String> names(Figure figure, String panel) {
    return panel(figure, panel).curves().stream().map(Curve::name).toList();
  }

  /// Every y is that of the formula.
  static void assertFollows(DoubleUnaryOperator formula, Curve curve, double tolerance) {
    for (int i = 0; i < curve.x().length; i++) {
      double expected = formula.applyAsDouble(curve.x()[i]);
      assertEquals(expected, curve.y()[i], tolerance, curve.name() + " at " + curve.x()[i]);
    }
  }

  /// The mean of y at the indices from `from` to before `to`.
  static double mean(Curve curve, int from, int to) {
    return Arrays.stream(curve.y(), from, to).average().orElseThrow();
  }

  static double last(Curve curve) {
    return curve.y()[curve.y().length - 1];
  }
}
