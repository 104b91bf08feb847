package dev.gatun.search;

import dev.gatun.search.Parameter.Edge;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/// The kinds of [Parameter].
final class Ranges {
  /// How near to an end of a range is at its edge, and how much wider than the values in it a
  /// narrowed range is on each side; shares of the width.
  private static final double MARGIN = 0.05;

  private Ranges() {}

  /// See [Parameter#uniform].
  record Uniform(String name, double low, double high) implements Parameter<Double> {
    Uniform {
      requireRange(name, low < high && Double.isFinite(high - low), "low < high", low, high);
    }

    @Override
    public Double at(double place) {
      return between(low, high, place, u -> low + u * (high - low));
    }

    @Override
    public double place(Double value) {
      return (value - low) / (high - low);
    }

    @Override
    public List<Double> grid(int points) {
      return places(points).stream().map(this::at).toList();
    }

    @Override
    public Parameter<Double> around(List<Double> values, Parameter<Double> limits) {
      double margin = MARGIN * (high - low);
      double from = least(values) - margin;
      double to = greatest(values) + margin;
      return new Uniform(name, Math.max(from, limits.at(0)), Math.min(to, limits.at(1)));
    }

    @Override
    public @Nullable Edge edge(Double value) {
      return edgeAt(place(value));
    }

    @Override
    public String format(Double value) {
      return String.format(Locale.ROOT, "%f", value);
    }

    @Override
    public String range() {
      return format(low) + " to " + format(high);
    }
  }

  /// See [Parameter#logUniform].
  record LogUniform(String name, double low, double high) implements Parameter<Double> {
    LogUniform {
      requireRange(
          name, low > 0 && low < high && Double.isFinite(high), "0 < low < high", low, high);
    }

    // StrictMath: the same bits everywhere.
    @Override
    public Double at(double place) {
      double first = StrictMath.log(low);
      return between(
          low, high, place, u -> StrictMath.exp(first + u * (StrictMath.log(high) - first)));
    }

    @Override
    public double place(Double value) {
      return StrictMath.log(value / low) / StrictMath.log(high / low);
    }

    @Override
    public List<Double> grid(int points) {
      return places(points).stream().map(this::at).toList();
    }

    @Override
    public Parameter<Double> around(List<Double> values, Parameter<Double> limits) {
      double margin = StrictMath.pow(high / low, MARGIN);
      double from = least(values) / margin;
      double to = greatest(values) * margin;
      return new LogUniform(name, Math.max(from, limits.at(0)), Math.min(to, limits.at(1)));
    }

    @Override
    public @Nullable Edge edge(Double value) {
      return edgeAt(place(value));
    }

    @Override
    public String format(Double value) {
      return String.format(Locale.ROOT, "%e", value);
    }

    @Override
    public String range() {
      return format(low) + " to " + format(high);
    }
  }

  /// See [Parameter#whole].
  record Whole(String name, int low, int high) implements Parameter<Integer> {
    Whole {
      requireRange(name, low <= high, "low <= high", low, high);
    }

    @Override
    public Integer at(double place) {
      long count = (long) high - low + 1;
      return Math.clamp(low + (long) Math.floor(place * count), low, high);
    }

    @Override
    public double place(Integer value) {
      return high == low ? 0.5 : ((double) value - low) / ((double) high - low);
    }

    @Override
    public List<Integer> grid(int points) {
      return places(points).stream()
          .map(place -> (int) Math.round(low + place * ((double) high - low)))
          .distinct()
          .toList();
    }

    @Override
    public Parameter<Integer> around(List<Integer> values, Parameter<Integer> limits) {
      long margin = (long) Math.ceil(MARGIN * ((double) high - low));
      long from = values.stream().mapToLong(Integer::longValue).min().orElse(low) - margin;
      long to = values.stream().mapToLong(Integer::longValue).max().orElse(high) + margin;
      return new Whole(name, (int) Math.max(from, limits.at(0)), (int) Math.min(to, limits.at(1)));
    }

    @Override
    public @Nullable Edge edge(Integer value) {
      return edgeAt(place(value));
    }

    @Override
    public String format(Integer value) {
      return value.toString();
    }

    @Override
    public String range() {
      return low + " to " + high;
    }
  }

  /// See [Parameter#choice].
  record Choice<T>(String name, List<T> values) implements Parameter<T> {
    Choice {
      values = List.copyOf(values);
      requireName(name);
      if (values.isEmpty() || Set.copyOf(values).size() < values.size()) {
        throw new IllegalArgumentException(
            "[search] %s: expected values that differ, found %s".formatted(name, values));
      }
    }

    @Override
    public T at(double place) {
      int index = (int) Math.floor(place * values.size());
      return values.get(Math.clamp(index, 0, values.size() - 1));
    }

    @Override
    public double place(T value) {
      return (values.indexOf(value) + 0.5) / values.size();
    }

    @Override
    public List<T> grid(int points) {
      return values;
    }

    @Override
    public Parameter<T> around(List<T> chosen, Parameter<T> limits) {
      return new Choice<>(name, values.stream().filter(chosen::contains).toList());
    }

    /// A choice has no order, so no end.
    @Override
    public @Nullable Edge edge(T value) {
      return null;
    }

    @Override
    public String format(T value) {
      return value.toString();
    }

    @Override
    public String range() {
      return String.join(", ", values.stream().map(this::format).toList());
    }
  }

  private static double between(double low, double high, double place, DoubleUnaryOperator inner) {
    return place <= 0 ? low : place >= 1 ? high : Math.clamp(inner.applyAsDouble(place), low, high);
  }

  private static List<Double> places(int points) {
    if (points < 2) {
      throw new IllegalArgumentException(
          "[search] expected at least 2 points of each parameter, found " + points);
    }
    List<Double> places = new ArrayList<>();
    for (int i = 0; i < points; i++) {
      places.add((double) i / (points - 1));
    }
    return places;
  }

  private static @Nullable Edge edgeAt(double place) {
    return place < MARGIN ? Edge.LOWER : place > 1 - MARGIN ? Edge.UPPER : null;
  }

  private static double least(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
  }

  private static double greatest(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
  }

  private static void requireRange(
      String name, boolean holds, String expected, double low, double high) {
    requireName(name);
    if (!holds) {
      throw new IllegalArgumentException(
          "[search] %s: expected %s, found %s and %s".formatted(name, expected, low, high));
    }
  }

  private static void requireName(String name) {
    if (name.isBlank()) {
      throw new IllegalArgumentException("[search] a parameter needs a name");
    }
  }
}
