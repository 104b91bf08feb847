package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.List;

/// ReLUs that are 0 for the whole batch: nothing comes back through them, so they stay so.
final class DeadUnitRule implements Rule {
  private static final double MANY = 0.5;
  private static final double MOST = 0.9;

  /// Fewer numbers a unit may all be below 0 by chance.
  private static final int LEAST_ROWS = 24;

  @Override
  public List<Finding> apply(Examination examination) {
    List<Finding> findings = new ArrayList<>();
    Inspection latest = examination.latest().orElse(null);
    if (latest == null) {
      return findings;
    }
    for (LayerReading layer : latest.layers()) {
      if (layer.kind() == LayerReading.Kind.RELU
          && layer.rows() >= LEAST_ROWS
          && layer.deadUnits() >= MANY) {
        findings.add(finding(layer, examination));
      }
    }
    return findings;
  }

  private static Finding finding(LayerReading layer, Examination examination) {
    Inspection initial = examination.initial();
    double before =
        initial == null
            ? Double.NaN
            : initial.layer(layer.path()).map(LayerReading::deadUnits).orElse(Double.NaN);
    boolean died = before < MANY;
    return new Finding(
        layer.deadUnits() >= MOST ? Severity.SEVERE : Severity.WARNING,
        "dead units",
        layer.path(),
        "%s of %d units are 0 for all of %d examples%s"
            .formatted(
                Words.percent(layer.deadUnits()),
                layer.shape().dim(-1),
                layer.shape().dim(0),
                Double.isNaN(before) ? "" : "; at first " + Words.percent(before) + " were"),
        "no gradient comes back through them, so they do not learn and stay dead",
        died
            ? "a lower rate or a warm-up, for steps have pushed them there; leakyRelu, or norms in"
                + " front"
            : "biases of 0 and kaimingNormal weights, standardised inputs; leakyRelu, or norms in"
                + " front");
  }
}
