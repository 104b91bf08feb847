package dev.gatun.spec;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/// How the elements of an input are chosen.
///
/// @param name as it stands in the ids of cases; empty for the usual one
/// @param rule the elements for a count
public record Fill(String name, Rule rule) {
  /// The usual one: the normal distribution.
  public static final Fill NORMAL = each("", RandomGenerator::nextGaussian);

  /// From 0.5 to 2: for roots, logarithms, divisors and variances.
  public static final Fill POSITIVE = each("positive", random -> 0.5 + 1.5 * random.nextDouble());

  /// Of either sign, at least 0.2 from 0: for functions with a kink or a pole there.
  public static final Fill AWAY_FROM_ZERO =
      each("nonzero", random -> (random.nextBoolean() ? 1 : -1) * (0.2 + random.nextDouble()));

  /// All elements differ by 0.05 or more, in random order: a maximum that a small change does not
  /// move.
  public static final Fill DISTINCT =
      new Fill(
          "distinct",
          (count, random) -> {
            double[] elements = IntStream.range(0, count).mapToDouble(i -> 0.05 * i - 1).toArray();
            for (int i = count - 1; i > 0; i--) {
              int j = random.nextInt(i + 1);
              double element = elements[i];
              elements[i] = elements[j];
              elements[j] = element;
            }
            return elements;
          });

  /// Multiples of 1/2, so that no two inputs, one of STEPS and one of HALF_STEPS, are nearly equal.
  public static final Fill STEPS = each("steps", random -> 0.5 * random.nextInt(-4, 5));

  /// STEPS moved by 1/4.
  public static final Fill HALF_STEPS =
      each("half-steps", random -> 0.25 + 0.5 * random.nextInt(-4, 5));

  /// -1, 0 and 1: many ties.
  public static final Fill TIES = each("ties", random -> random.nextInt(-1, 2));

  /// What is not finite, both zeros, and what overflows or vanishes when it is exponentiated.
  public static final Fill SPECIAL =
      new Fill(
          "special",
          (count, random) -> {
            double[] values = {
              Double.NaN,
              Double.POSITIVE_INFINITY,
              Double.NEGATIVE_INFINITY,
              0.0,
              -0.0,
              1,
              -1,
              100,
              -100,
              1e-3
            };
            return IntStream.range(0, count).mapToDouble(i -> values[i % values.length]).toArray();
          });

  /// The elements for a count.
  @FunctionalInterface
  public interface Rule {
    /// `count` elements; the same `random` gives the same.
    double[] elements(int count, RandomGenerator random);
  }

  /// One element.
  @FunctionalInterface
  public interface Each {
    /// The next element.
    double next(RandomGenerator random);
  }

  /// Elements drawn one by one.
  public static Fill each(String name, Each each) {
    return new Fill(
        name,
        (count, random) -> {
          double[] elements = new double[count];
          for (int i = 0; i < count; i++) {
            elements[i] = each.next(random);
          }
          return elements;
        });
  }

  /// The normal distribution, stretched.
  public static Fill normal(double deviation) {
    return each("normal" + deviation, random -> deviation * random.nextGaussian());
  }

  /// The same value everywhere.
  public static Fill constant(double value) {
    return each("" + value, random -> value);
  }

  /// Labels from 0 to `classes` - 1, about a quarter of them -1, which is ignored.
  public static Fill labels(int classes) {
    return each("labels", random -> random.nextInt(4) == 0 ? -1 : random.nextInt(classes));
  }

  /// Whole numbers from `from` to `to`.
  public static Fill integers(int from, int to) {
    return each(from + ".." + to, random -> random.nextInt(from, to + 1));
  }

  /// These elements, again and again.
  public static Fill cycle(double... values) {
    double[] kept = values.clone();
    return new Fill(
        Arrays.toString(kept).replace(" ", ""),
        (count, random) ->
            IntStream.range(0, count).mapToDouble(i -> kept[i % kept.length]).toArray());
  }
}
