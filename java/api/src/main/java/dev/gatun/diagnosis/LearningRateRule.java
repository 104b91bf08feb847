package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A learning rate that is too high or too low, by comparing runs at it, at a tenth and at ten
/// times of it, and a range of rates; and a loss that falls at none.
final class LearningRateRule implements Rule {
  /// A share of the loss.
  static final double LITTLE = 0.05;

  static final double SOME = 0.1;
  static final double MUCH = 0.3;

  private static final double MUCH_MORE = 3;
  private static final double MUCH_LOWER = 3;
  private static final double MUCH_HIGHER = 30;

  @Override
  public List<Finding> apply(Examination examination) {
    TrialRun own = examination.own();
    if (own == null || own.startLoss() == 0) {
      return List.of();
    }
    double slower = progress(examination.slower());
    double faster = progress(examination.faster());
    RateCurve rates = examination.rates();
    double suggestion = rates == null ? Double.NaN : rates.suggestion();
    String other =
        Double.isNaN(suggestion)
            ? " times the rate"
            : " times the rate; the range of rates suggests " + Words.number(suggestion);
    boolean lost = own.progress() < LITTLE || own.progress() < slower / 2;
    boolean slowerWins = slower > Math.max(0, own.progress()) + SOME;
    boolean curveIsLower = suggestion < own.rate() / MUCH_LOWER;
    boolean fasterWins = faster > MUCH_MORE * Math.max(0, own.progress()) + SOME;
    if (lost && (slowerWins || (own.progress() < LITTLE && curveIsLower && !fasterWins))) {
      return List.of(
          new Finding(
              own.progress() < LITTLE ? Severity.SEVERE : Severity.WARNING,
              "learning rate too high",
              "",
              runs(examination),
              own.isFinite()
                  ? "steps jump over what they should descend into, from side to side or away"
                  : "each step overshoots by more than the one before",
              "0.1" + other + "; a warm-up or clipNorm(1) lets more be borne"));
    }
    boolean curveIsHigher = suggestion > MUCH_HIGHER * own.rate();
    if (own.isFinite()
        && own.fall() < MUCH
        && own.progress() < SOME
        && (fasterWins || curveIsHigher)) {
      return List.of(
          new Finding(
              own.fall() < LITTLE ? Severity.SEVERE : Severity.WARNING,
              "learning rate too low",
              "",
              runs(examination),
              "steps are in the right direction and hardly move",
              "10" + other));
    }
    boolean noneFalls = Math.max(own.progress(), Math.max(slower, faster)) < LITTLE;
    if (noneFalls && (rates == null || rates.fall() < SOME)) {
      return List.of(
          Finding.severe(
              "loss does not fall",
              "",
              runs(examination),
              "it is not the rate: what should be learned does not reach the weights, or is not in"
                  + " the inputs",
              "see the other findings; look whether inputs and targets belong together, and whether"
                  + " loss and last layer fit"));
    }
    return List.of();
  }

  private static double progress(@Nullable TrialRun trial) {
    return trial == null ? Double.NEGATIVE_INFINITY : trial.progress();
  }

  private static String runs(Examination examination) {
    List<String> runs = new ArrayList<>();
    for (TrialRun trial :
        Arrays.asList(examination.own(), examination.slower(), examination.faster())) {
      if (trial != null) {
        runs.add(trial.toString());
      }
    }
    return String.join("; ", runs);
  }
}
