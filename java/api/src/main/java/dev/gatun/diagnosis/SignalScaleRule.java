package dev.gatun.diagnosis;

import java.util.List;

/// Signals that die out or explode on their way through the untrained network.
final class SignalScaleRule implements Rule {
  private static final double LIMIT = 1e3;
  private static final double SEVERE = 1e5;
  private static final int LEAST_DEPTH = 3;

  @Override
  public List<Finding> apply(Examination examination) {
    Inspection initial = examination.initial();
    if (initial == null || initial.depth().size() < LEAST_DEPTH) {
      return List.of();
    }
    DataReading data = examination.data();
    Spread inputs = data == null ? null : data.inputs();
    double reference = inputs == null || !(inputs.deviation() > 0) ? 1 : inputs.deviation();
    List<LayerReading> hidden = initial.depth().subList(0, initial.depth().size() - 1);
    LayerReading last = hidden.getLast();
    double scale = last.output().deviation() / reference;
    if ((scale <= LIMIT && scale >= 1 / LIMIT) || Double.isNaN(scale)) {
      return List.of();
    }
    boolean dies = scale < 1;
    double each = Math.pow(scale, 1.0 / hidden.size());
    String seen =
        "outputs of %d layers have deviations from %s to %s, of inputs with %s: times %s a layer"
            .formatted(
                hidden.size(),
                Words.number(hidden.getFirst().output().deviation()),
                Words.number(last.output().deviation()),
                Words.number(reference),
                Words.number(each));
    boolean severe = scale > SEVERE || scale < 1 / SEVERE;
    return List.of(
        new Finding(
            severe ? Severity.SEVERE : Severity.WARNING,
            dies ? "signals die out" : "signals explode",
            last.path(),
            seen,
            dies
                ? "the initial weights are too small for this depth: outputs hardly depend on"
                    + " inputs, and gradients shrink alike"
                : "the initial weights are too large for this depth: gradients grow alike",
            "kaimingNormal (the default) before ReLU, glorotNormal before tanh, norms, residuals,"
                + " or DataInitializer.lsuv()"));
  }
}
