package dev.gatun.diagnosis;

import java.util.List;

/// Gradients that vanish or explode on their way back to the first layer: after some training, or
/// at the beginning where that ended in infinities.
final class GradientScaleRule implements Rule {
  private static final double LIMIT = 1e3;
  private static final double SEVERE = 1e6;
  private static final int LEAST_DEPTH = 4;

  @Override
  public List<Finding> apply(Examination examination) {
    List<LayerReading> depth = examination.latest().map(Inspection::depth).orElse(List.of());
    if (depth.size() < LEAST_DEPTH) {
      return List.of();
    }
    LayerReading first = depth.getFirst();
    LayerReading last = depth.getLast();
    double ratio = first.gradientNorm() / last.gradientNorm();
    if ((ratio <= LIMIT && ratio >= 1 / LIMIT) || Double.isNaN(ratio)) {
      return List.of();
    }
    boolean vanishes = ratio < 1;
    boolean severe = ratio > SEVERE || ratio < 1 / SEVERE;
    double each = Math.pow(ratio, 1.0 / (depth.size() - 1));
    return List.of(
        new Finding(
            severe ? Severity.SEVERE : Severity.WARNING,
            vanishes ? "vanishing gradients" : "exploding gradients",
            first.path(),
            "the gradient's norm is %s at %s and %s at %s, %d layers before: times %s a layer"
                .formatted(
                    Words.number(last.gradientNorm()),
                    last.path(),
                    Words.number(first.gradientNorm()),
                    first.path(),
                    depth.size() - 1,
                    Words.number(each)),
            vanishes
                ? "the first layers learn next to nothing"
                : "steps that suit the last layers are far too large for the first",
            vanishes
                ? "ReLU for sigmoids, an initialiser that suits the activation, norms between"
                    + " layers, or residuals"
                : "smaller initial weights, norms between layers, or clipNorm(1)"));
  }
}
