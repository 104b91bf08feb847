package dev.gatun.diagnosis;

import java.util.List;

/// Weights whose gradient is 0 in every element although the outputs have one.
final class NoGradientRule implements Rule {
  @Override
  public List<Finding> apply(Examination examination) {
    Inspection latest = examination.latest().orElse(null);
    if (latest == null
        || latest.layers().isEmpty()
        || !(latest.layers().getLast().gradientNorm() > 0)) {
      return List.of();
    }
    List<ParameterReading> weights =
        latest.parameters().stream()
            .filter(p -> p.isMatrix() && !Double.isNaN(p.gradientNorm()))
            .toList();
    List<String> still =
        weights.stream()
            .filter(parameter -> parameter.gradientNorm() == 0)
            .map(ParameterReading::name)
            .toList();
    if (still.isEmpty()) {
      return List.of();
    }
    return List.of(
        Finding.severe(
            "no gradient",
            still.getFirst(),
            "the gradient is 0 for %d of %d weights: %s"
                .formatted(still.size(), weights.size(), Words.names(still)),
            "they do not learn: no path leads from them to the loss, or what lies between is dead,"
                + " multiplied by 0, or has no slope",
            "freeze them if that is meant; else look at the layers behind them"));
  }
}
