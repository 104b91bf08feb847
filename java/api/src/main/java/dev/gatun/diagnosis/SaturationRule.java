package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.List;

/// Sigmoids and tanhs between layers that are at their ends, where they have next to no slope.
final class SaturationRule implements Rule {
  private static final double MANY = 0.5;
  private static final double MOST = 0.9;

  @Override
  public List<Finding> apply(Examination examination) {
    List<Finding> findings = new ArrayList<>();
    List<LayerReading> layers = examination.latest().map(Inspection::layers).orElse(List.of());
    for (int i = 0; i < layers.size() - 1; i++) {
      LayerReading layer = layers.get(i);
      if (layer.saturated() >= MANY) {
        findings.add(
            new Finding(
                layer.saturated() >= MOST ? Severity.SEVERE : Severity.WARNING,
                "saturated units",
                layer.path(),
                "%s of the outputs have less than 7 %% of the greatest slope; %s"
                    .formatted(Words.percent(layer.saturated()), layer.output().histogram()),
                "next to no gradient comes back through them",
                "smaller weights (glorotNormal), standardised inputs, a lower rate, norms in"
                    + " front, or ReLU"));
      }
    }
    return findings;
  }
}
