package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Inputs that are not finite, all alike, or far from mean 0 and deviation 1. Pixels from 0 to 1
/// pass.
final class InputRule implements Rule {
  /// A channel this far off, in units of 1 or of its deviation, whichever is more.
  private static final double FAR = 3;

  private static final double WIDE = 10;
  private static final double NARROW = 0.03;

  @Override
  public List<Finding> apply(Examination examination) {
    DataReading data = examination.data();
    List<Finding> findings = new ArrayList<>();
    if (data == null) {
      return findings;
    }
    if (data.alike() && (long) data.batches() * data.examples() > 1) {
      findings.add(
          Finding.severe(
              "inputs all alike",
              "",
              "all %d examples have the same inputs"
                  .formatted((long) data.batches() * data.examples()),
              "there is nothing to tell them apart by",
              "look at what the reader and the preprocessing give"));
      return findings;
    }
    Spread inputs = data.inputs();
    if (inputs != null && !inputs.isFinite()) {
      findings.add(
          Finding.severe(
              "inputs not finite",
              "",
              "%d of %d input numbers are infinite or NaN"
                  .formatted(inputs.notFinite(), inputs.count()),
              "one of them is enough to ruin all weights in one step",
              "find them in the data: missing values, divisions by 0, logarithms of 0"));
      return findings;
    }
    List<DataReading.Feature> far =
        data.features().stream()
            .filter(InputRule::isFar)
            .sorted(Comparator.comparingDouble(f -> -Math.abs(f.mean()) - f.deviation()))
            .toList();
    String seen =
        inputs != null && inputs.deviation() < NARROW
            ? "inputs have mean %s and deviation %s"
                .formatted(Words.number(inputs.mean()), Words.number(inputs.deviation()))
            : far.isEmpty()
                ? ""
                : "%d of %d input channels; channel %d has mean %s and deviation %s"
                    .formatted(
                        far.size(),
                        data.features().size(),
                        far.getFirst().index(),
                        Words.number(far.getFirst().mean()),
                        Words.number(far.getFirst().deviation()));
    if (!seen.isEmpty()) {
      findings.add(
          new Finding(
              examination.ofUnscaledData(),
              "inputs not standardised",
              "",
              seen,
              "rates that suit some weights are too high or too low for others, and initialisers"
                  + " expect deviation 1",
              "Standardizer for pictures, FeatureScaler for tables: mean 0 and deviation 1, fitted"
                  + " on the training set"));
    }
    return findings;
  }

  private static boolean isFar(DataReading.Feature feature) {
    return Math.abs(feature.mean()) > FAR * Math.max(1, feature.deviation())
        || feature.deviation() > WIDE;
  }
}
