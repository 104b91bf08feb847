package dev.gatun.diagnosis;

import java.util.List;

/// Steps that move weights by too much or too little of their size. About a thousandth is usual;
/// what is ten times beyond a hundredth or below a ten-thousandth is told.
final class UpdateRatioRule implements Rule {
  private static final double MOST = 0.1;
  private static final double LEAST = 1e-5;

  /// The share of the loss that has to be gone for small steps to be right.
  private static final double LEARNED = 0.2;

  @Override
  public List<Finding> apply(Examination examination) {
    Inspection trained = examination.trained().orElse(null);
    if (trained == null) {
      return List.of();
    }
    List<ParameterReading> weights =
        trained.parameters().stream()
            .filter(p -> p.isMatrix() && Double.isFinite(p.updateRatio()) && p.gradientNorm() > 0)
            .sorted((a, b) -> Double.compare(a.updateRatio(), b.updateRatio()))
            .toList();
    if (weights.isEmpty()) {
      return List.of();
    }
    ParameterReading median = weights.get(weights.size() / 2);
    String seen =
        "a step moves weights by %s of their norm (the median; %s by %s, %s by %s)"
            .formatted(
                Words.number(median.updateRatio()),
                weights.getFirst().name(),
                Words.number(weights.getFirst().updateRatio()),
                weights.getLast().name(),
                Words.number(weights.getLast().updateRatio()));
    TrialRun own = examination.own();
    boolean learned = own != null && own.progress() > LEARNED;
    if (median.updateRatio() > MOST) {
      return List.of(
          Finding.warning(
              "updates too large",
              median.name(),
              seen,
              "about 0.001 is usual; at this pace weights are other ones after a few steps",
              "a lower learning rate, a warm-up, or clipNorm(1)"));
    }
    if (median.updateRatio() < LEAST && !learned) {
      return List.of(
          Finding.warning(
              "updates too small",
              median.name(),
              seen,
              "about 0.001 is usual; at this pace weights stay what they are",
              "a higher learning rate, or initial weights that are not so large"));
    }
    return List.of();
  }
}
