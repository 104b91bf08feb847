package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What should keep a net from overfitting, so strong that it learns nothing: weights that shrink
/// instead, and dropout that leaves too little.
final class RestraintRule implements Rule {
  /// Of the initial norm.
  private static final double SHRUNK = 0.5;

  /// Of the units.
  private static final double LEAST_KEPT = 0.2;

  @Override
  public List<Finding> apply(Examination examination) {
    TrialRun own = examination.own();
    Inspection initial = examination.initial();
    if (own == null || initial == null || own.progress() >= LearningRateRule.MUCH) {
      return List.of();
    }
    Severity severity = own.progress() < LearningRateRule.SOME ? Severity.SEVERE : Severity.WARNING;
    List<Finding> findings = new ArrayList<>();
    for (TrialRun trial : Arrays.asList(own, examination.faster())) {
      double shrunk = trial == null ? Double.NaN : shrunk(initial, trial.end());
      if (trial != null && shrunk < SHRUNK && trial.progress() < LearningRateRule.SOME) {
        findings.add(
            new Finding(
                severity,
                "weights shrink away",
                "",
                "%s, and then weights have %s of their initial norm (the median)"
                    .formatted(trial, Words.percent(shrunk)),
                "weight decay, a penalty or a greatest norm pulls them to 0 more than the loss moves"
                    + " them",
                "less of it: a weight decay of 1e-4 is usual for SGD, 0.01 for AdamW"));
        break;
      }
    }
    for (int i = 0; i < initial.layers().size(); i++) {
      LayerReading layer = initial.layers().get(i);
      double before = i == 0 ? 0 : initial.layers().get(i - 1).output().zeros();
      double kept = (1 - layer.output().zeros()) / (1 - before);
      if (layer.kind() == LayerReading.Kind.DROPOUT && kept < LEAST_KEPT) {
        findings.add(
            new Finding(
                severity,
                "dropout too large",
                layer.path(),
                "it leaves %s of the numbers; %s".formatted(Words.percent(kept), own),
                "what it leaves is too little to answer from, and changes with every step",
                "a drop probability of 0.5 at most, 0.1 to 0.3 in small networks"));
      }
    }
    return findings;
  }

  /// The median of the norms that weights have at the end, over those at first; NaN if not known.
  private static double shrunk(Inspection initial, @Nullable Inspection end) {
    if (end == null) {
      return Double.NaN;
    }
    double[] ratios =
        initial.parameters().stream()
            .filter(weight -> weight.isMatrix() && weight.norm() > 0)
            .mapToDouble(
                weight ->
                    end.parameter(weight.name()).map(ParameterReading::norm).orElse(Double.NaN)
                        / weight.norm())
            .sorted()
            .toArray();
    return ratios.length == 0 ? Double.NaN : ratios[ratios.length / 2];
  }
}
