package dev.gatun.diagnosis;

import java.util.List;

/// Targets of a regression that are far from the outputs of an untrained network.
final class TargetRule implements Rule {
  private static final double LARGE = 10;

  @Override
  public List<Finding> apply(Examination examination) {
    DataReading data = examination.data();
    Spread values = data == null ? null : data.values();
    if (values == null) {
      return List.of();
    }
    if (!values.isFinite()) {
      return List.of(
          Finding.severe(
              "targets not finite",
              "",
              "%d of %d target numbers are infinite or NaN"
                  .formatted(values.notFinite(), values.count()),
              "one of them is enough to ruin all weights in one step",
              "find them in the data, or leave their examples out"));
    }
    if (Math.abs(values.mean()) <= LARGE && values.deviation() <= LARGE) {
      return List.of();
    }
    return List.of(
        new Finding(
            examination.ofUnscaledData(),
            "targets not standardised",
            "",
            "targets have mean %s and deviation %s"
                .formatted(Words.number(values.mean()), Words.number(values.deviation())),
            "losses and gradients are as large, and the output's bias has a long way to go",
            "standardise targets as inputs, and undo it in what is predicted (FeatureScaler.inverse)"));
  }
}
