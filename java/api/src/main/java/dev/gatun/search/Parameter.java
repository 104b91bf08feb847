package dev.gatun.search;

import dev.gatun.search.Ranges.Choice;
import dev.gatun.search.Ranges.LogUniform;
import dev.gatun.search.Ranges.Uniform;
import dev.gatun.search.Ranges.Whole;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A hyper-parameter and the values that a [Search] tries for it. What is multiplied, such as a
/// learning rate, belongs on a logarithmic scale:
///
/// ```java
/// Parameter<Double> rate = Parameter.logUniform("lr", 1e-4, 1e-1);
/// Parameter<Integer> units = Parameter.whole("units", 16, 256);
/// Parameter<String> cell = Parameter.choice("cell", "gru", "lstm");
/// ```
///
/// @param <T> the type of its values
public sealed interface Parameter<T> permits Uniform, LogUniform, Whole, Choice {
  /// Numbers between `low` and `high`, each equally likely.
  ///
  /// @throws IllegalArgumentException unless low < high, both finite
  static Parameter<Double> uniform(String name, double low, double high) {
    return new Uniform(name, low, high);
  }

  /// Numbers between `low` and `high` whose logarithms are equally likely.
  ///
  /// @throws IllegalArgumentException unless 0 < low < high, both finite
  static Parameter<Double> logUniform(String name, double low, double high) {
    return new LogUniform(name, low, high);
  }

  /// Whole numbers from `low` to `high`, each equally likely.
  ///
  /// @throws IllegalArgumentException unless low <= high
  static Parameter<Integer> whole(String name, int low, int high) {
    return new Whole(name, low, high);
  }

  /// One of these, each equally likely; they are named by their strings.
  ///
  /// @throws IllegalArgumentException if there are none, or a value twice
  @SafeVarargs
  @SuppressWarnings("varargs") // copied at once
  static <T> Parameter<T> choice(String name, T... values) {
    return new Choice<>(name, List.of(values));
  }

  /// What it is called, in logs and for [Trial#get].
  String name();

  /// The value at a place of the range.
  ///
  /// @param place from 0, the lowest value, to 1, the highest
  T at(double place);

  /// Where in the range a value lies, from 0 to 1: [#at] the other way round, up to rounding.
  double place(T value);

  /// At most so many values at equal distances, the ends among them; of a [#choice] all.
  ///
  /// @param points at least 2
  List<T> grid(int points);

  /// A narrower range around these values: from the least to the greatest, and a twentieth of the
  /// present width more on both sides. It may go beyond the present range, but not beyond `limits`.
  Parameter<T> around(List<T> values, Parameter<T> limits);

  /// Which end of the range a value lies at, within a twentieth of the width, so that better ones
  /// may lie beyond; null if at none.
  @Nullable Edge edge(T value);

  /// A value as logs have it: `1.405206e-04` on a logarithmic scale.
  String format(T value);

  /// The range in words: `1.000000e-04 to 1.000000e-01`.
  String range();

  /// An end of a range.
  enum Edge {
    /// Where the least values are.
    LOWER,
    /// Where the greatest values are.
    UPPER
  }
}
