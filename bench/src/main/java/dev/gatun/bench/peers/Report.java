package dev.gatun.bench.peers;

import com.google.gson.GsonBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a run of the peer bench has found, as it is written to JSON.
///
/// @param command how it was started
/// @param machine where
/// @param roofline the machine's limits in the same run
/// @param rows a work each
public record Report(
    String command, HostMachine machine, List<Roofline.Limit> roofline, List<Row> rows) {

  /// Gatun's name among the sides.
  public static final String GATUN = "gatun";

  /// One work with one number of threads.
  ///
  /// @param work its name
  /// @param precision of the tensors' elements
  /// @param threads of each side
  /// @param gatunMillis Gatun's median
  /// @param spread between Gatun's quartiles, as a share of the median
  /// @param peers the medians of the others
  /// @param peerSpreads the spreads of the others
  /// @param absent who cannot do it, and why
  /// @param fastest the fastest peer, null if there is none
  /// @param ratio the fastest peer's time by Gatun's, null if there is no peer
  /// @param share of the limit that Gatun reaches, null if that was not measured
  /// @param roof the limit: what is counted
  /// @param limit what the machine could do during these measurements, in 10⁹ of that per second
  public record Row(
      String work,
      String precision,
      int threads,
      double gatunMillis,
      double spread,
      Map<String, Double> peers,
      Map<String, Double> peerSpreads,
      Map<String, String> absent,
      @Nullable String fastest,
      @Nullable Double ratio,
      @Nullable Double share,
      String roof,
      @Nullable Double limit) {

    /// The row of an outcome in which Gatun took part.
    ///
    /// @throws IllegalArgumentException if it did not
    public static Row of(Match.Outcome outcome, int threads) {
      Statistics own = outcome.times().get(GATUN);
      if (own == null) {
        throw new IllegalArgumentException(
            "Gatun cannot do %s: %s".formatted(outcome.work().name(), outcome.absent().get(GATUN)));
      }
      Map<String, Double> peers = new LinkedHashMap<>();
      Map<String, Double> spreads = new LinkedHashMap<>();
      outcome
          .times()
          .forEach(
              (name, times) -> {
                if (!name.equals(GATUN)) {
                  peers.put(name, times.median());
                  spreads.put(name, times.spread());
                }
              });
      Map.Entry<String, Double> fastest =
          peers.entrySet().stream().min(Map.Entry.comparingByValue()).orElse(null);
      Work.Cost cost = outcome.work().cost();
      Statistics limit = outcome.limit();
      return new Row(
          outcome.work().name(),
          outcome.work().precision(),
          threads,
          own.median(),
          own.spread(),
          peers,
          spreads,
          outcome.absent(),
          fastest == null ? null : fastest.getKey(),
          fastest == null ? null : fastest.getValue() / own.median(),
          limit == null ? null : cost.amount() / (own.median() * 1e-3) / limit.median(),
          cost.roof().unit(),
          limit == null ? null : limit.median() * 1e-9);
    }

    /// One line of the console's table.
    String line(List<String> names) {
      StringBuilder line = new StringBuilder();
      line.append(
          String.format(
              Locale.ROOT,
              "%-52s %2d %10s %5.1f%%",
              work,
              threads,
              millis(gatunMillis),
              100 * spread));
      for (String name : names) {
        Double time = peers.get(name);
        line.append(String.format(" %12s", time == null ? "-" : millis(time)));
      }
      line.append(ratio == null ? "      -" : String.format(Locale.ROOT, " %6.2f", ratio));
      line.append(share == null ? "      -" : String.format(Locale.ROOT, " %6.2f", share));
      return line.toString();
    }

    /// The heading over [#line].
    static String heading(List<String> names) {
      StringBuilder line =
          new StringBuilder(String.format("%-52s %2s %10s %6s", "work, ms", "t", "gatun", "±"));
      names.forEach(name -> line.append(String.format(" %12s", name)));
      return line.append("  ratio  share").toString();
    }

    private static String millis(double time) {
      return String.format(Locale.ROOT, time < 10 ? "%.4f" : "%.2f", time);
    }
  }

  /// As JSON, for people too.
  public String toJson() {
    return new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(this);
  }
}
