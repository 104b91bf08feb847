package dev.gatun.bench.peers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/// One work done by several sides in turns.
///
/// The first contender is the one that the others' results are compared with. In each round every
/// side works for a while, one after the other, so that a change of the machine's pace meets all. A
/// side that is [#HOPELESS] times slower than the fastest takes part in the first round only.
public final class Match {
  /// From this factor on a side does not matter for the ratio.
  public static final double HOPELESS = 3;

  /// How the reason of a side with other results begins.
  static final String OTHER_RESULTS = "other results";

  private static final double TOLERANCE = 2e-3;
  private static final double TOLERANCE_BF16 = 5e-2;

  private Match() {}

  /// What came out.
  ///
  /// @param work what was done
  /// @param times of each side that took part, in the order of the contenders
  /// @param absent why the others did not
  /// @param limit what the machine could do meanwhile, in units of the work's cost per second; null
  ///   if nobody knows
  public record Outcome(
      Work work,
      Map<String, Statistics> times,
      Map<String, String> absent,
      @Nullable Statistics limit) {}

  /// Plays `rounds` rounds in which each side works for `seconds`.
  ///
  /// @param limits the rate of a roof now, asked for in each round; 0 if it is not known
  public static Outcome play(
      Work work,
      List<? extends Contender> contenders,
      int rounds,
      double seconds,
      ToDoubleFunction<Work.Roof> limits) {
    Map<String, String> absent = new LinkedHashMap<>();
    Map<Contender, Contender.Ready> ready = new LinkedHashMap<>();
    try {
      for (Contender contender : contenders) {
        try {
          Contender.Ready state = contender.prepare(work);
          ready.values().stream()
              .findFirst()
              .ifPresent(first -> compare(work, first.results(), state.results()));
          ready.put(contender, state);
        } catch (UnsupportedOperationException | WrongResultException e) {
          contender.release();
          absent.put(contender.name(), String.valueOf(e.getMessage()));
        }
      }
      List<Double> rates = new ArrayList<>();
      Runnable everyRound = () -> rates.add(limits.applyAsDouble(work.cost().roof()));
      Map<String, Statistics> times = alternate(ready, rounds, seconds, absent, everyRound);
      double[] known = rates.stream().mapToDouble(rate -> rate).filter(rate -> rate > 0).toArray();
      return new Outcome(work, times, absent, known.length == 0 ? null : Statistics.of(known));
    } finally {
      ready.keySet().forEach(Contender::release);
    }
  }

  private static Map<String, Statistics> alternate(
      Map<Contender, Contender.Ready> ready,
      int rounds,
      double seconds,
      Map<String, String> absent,
      Runnable everyRound) {
    double fastest = ready.values().stream().mapToDouble(Contender.Ready::millis).min().orElse(0);
    Map<String, List<double[]>> times = new LinkedHashMap<>();
    for (int round = 0; round < rounds; round++) {
      everyRound.run();
      for (Map.Entry<Contender, Contender.Ready> side : ready.entrySet()) {
        String name = side.getKey().name();
        if (absent.containsKey(name)
            || (round > 0 && side.getValue().millis() >= HOPELESS * fastest)) {
          continue;
        }
        try {
          times.computeIfAbsent(name, any -> new ArrayList<>()).add(side.getKey().measure(seconds));
        } catch (UnsupportedOperationException e) {
          absent.put(name, String.valueOf(e.getMessage()));
        }
      }
    }
    times.keySet().removeAll(absent.keySet());
    Map<String, Statistics> statistics = new LinkedHashMap<>();
    times.forEach((name, parts) -> statistics.put(name, of(parts)));
    return statistics;
  }

  private static Statistics of(List<double[]> parts) {
    return Statistics.of(parts.stream().flatMapToDouble(Arrays::stream).toArray());
  }

  /// Differences count against the greatest value.
  private static void compare(Work work, float[] expected, float[] found) {
    if (expected.length != found.length) {
      throw new WrongResultException(
          OTHER_RESULTS
              + ": expected %d values, found %d".formatted(expected.length, found.length));
    }
    if (expected.length > 0 && expected[0] != found[0]) { // a count
      throw new WrongResultException(
          OTHER_RESULTS
              + ": expected a count of %.0f, found %.0f".formatted(expected[0], found[0]));
    }
    float scale = 0;
    for (int i = 1; i < expected.length; i++) {
      scale = Math.max(scale, Math.abs(expected[i]));
    }
    double tolerance = work.precision().equals("bf16") ? TOLERANCE_BF16 : TOLERANCE;
    for (int i = 1; i < expected.length; i++) {
      if (!(Math.abs(expected[i] - found[i]) <= tolerance * scale)) {
        throw new WrongResultException(
            OTHER_RESULTS + ": value %d is %s, found %s".formatted(i, expected[i], found[i]));
      }
    }
  }

  private static final class WrongResultException extends RuntimeException {
    private static final long serialVersionUID = 1;

    WrongResultException(String message) {
      super(message);
    }
  }
}
